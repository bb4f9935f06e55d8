//! One person who moves in front of one camera: what the lifter is to answer, and what a perfect detector
//! would see.
//!
//! Everything after the camera stage lives on the undistorted z = 1 plane, so the lens is drawn only as a
//! field of view. The camera may move as on a robot: it drives, pans and nods.

use nalgebra::{Matrix3, Point2, Rotation3, UnitVector3, Vector3};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use stridepose::skeleton::{Joint, JointArray};
use stridepose::stages::window::MODEL_RATE_HZ;

use crate::body::Body;
use crate::mocap::{Clip, MOCAP_RATE_HZ, WorldPose};
use crate::posture::PostureChange;
use crate::recombine::Recombination;

/// Nearer than this to the camera plane nothing is projected, m.
pub(crate) const NEAREST_M: f64 = 0.2;
/// Standard deviation of the error with which a robot knows its camera's tilt, about each axis, rad: 1.7°.
const TILT_ERROR_RAD: f64 = 0.03;

/// How clips are drawn.
#[derive(Clone, Copy, Debug)]
pub struct SceneSettings {
    /// Playback speed is drawn log-uniformly from this range.
    pub speed: (f64, f64),
    /// Share of clips that get a drawn body; the others keep the recorded one.
    pub retarget_share: f64,
    /// Standard deviation of the sample times, in model periods, for half of the clips.
    pub stamp_jitter: f64,
    /// Share of the drawn bodies that are much like a recorded person's; the others are as adults are.
    pub recorded_body_share: f64,
    /// Share of clips that have trunk or arms of another.
    pub recombined_share: f64,
    /// Share of clips whose posture is changed.
    pub posture_share: f64,
    /// Whether clips may be mirrored.
    pub mirror: bool,
}

/// One drawn scene, a row per sample.
#[derive(Clone, Debug)]
pub struct Scene {
    /// True joints in the camera optical frame, m.
    pub joints_in_camera: Vec<JointArray<Vector3<f64>>>,
    /// True direction of gravity in the camera optical frame.
    pub gravity_in_camera: Vec<UnitVector3<f64>>,
    /// True keypoints on the z = 1 plane; `None` outside the image.
    pub keypoints: Vec<JointArray<Option<Point2<f64>>>>,
    /// Time since the previous sample, s.
    pub step_secs: Vec<f64>,
}

impl Scene {
    /// The direction of gravity as a robot knows it: its camera is mounted a little otherwise than its description says, by
    /// 0.03 rad about each axis (standard deviation), the same in the whole scene.
    pub fn known_gravity(&self, rng: &mut impl Rng) -> Vec<UnitVector3<f64>> {
        let mut draw = || -> f64 { TILT_ERROR_RAD * rng.sample::<f64, _>(StandardNormal) };
        let error = Rotation3::from_scaled_axis(Vector3::new(draw(), draw(), draw()));
        self.gravity_in_camera.iter().map(|gravity| error * gravity).collect()
    }
}

/// Whose movements and whose body a scene has.
#[derive(Clone, Copy, Debug)]
pub struct Cast<'a> {
    /// Who moves.
    pub clip: &'a Clip,
    /// Whose trunk or arms are above the legs of `clip`; absent: its own.
    pub upper_body: Option<&'a Clip>,
    /// Like whom the drawn body is built; absent: as adults are.
    pub built_like: Option<&'a Clip>,
}

impl<'a> Cast<'a> {
    /// Nobody but the one of `clip`.
    pub fn alone(clip: &'a Clip) -> Self {
        Self { clip, upper_body: None, built_like: None }
    }
}

/// Draws `length` samples of `cast`.
pub fn draw(cast: &Cast<'_>, length: usize, settings: &SceneSettings, rng: &mut impl Rng) -> Scene {
    let clip = cast.clip;
    let step_secs = draw_steps(length, settings, rng);
    let (low, high) = settings.speed;
    let speed = low * (high / low).powf(rng.random::<f64>());
    // Bones of two people make no body of one of them.
    let has_drawn_body = rng.random_bool(settings.retarget_share) || cast.upper_body.is_some();
    let body = has_drawn_body.then(|| match cast.built_like {
        Some(other) => Body::draw_like(&other.poses[other.poses.len() / 2], rng),
        None => Body::draw(rng),
    });
    let mirror = settings.mirror && rng.random_bool(0.5);
    let posture = rng.random_bool(settings.posture_share).then(|| PostureChange::draw(rng));
    let start = rng.random_range(0.0..clip.poses.len() as f64);
    let upper_body = cast.upper_body.map(|other| {
        let start = rng.random_range(0.0..other.poses.len() as f64);
        (Recombination::draw(rng), other, start)
    });
    let mut elapsed = 0.0;
    let world: Vec<WorldPose> = step_secs
        .iter()
        .map(|step| {
            let played = elapsed * speed * MOCAP_RATE_HZ;
            let pose = pose_at(clip, start + played);
            let pose = upper_body.as_ref().map_or(pose, |(recombination, other, start)| {
                recombination.apply(&pose, &pose_at(other, start + played))
            });
            let pose = posture.as_ref().map_or(pose, |posture| posture.apply(&pose, elapsed));
            elapsed += step;
            let pose = body.as_ref().map_or(pose, |body| body.retarget(&pose));
            if mirror { mirrored(&pose) } else { pose }
        })
        .collect();
    let camera = Camera::draw(&world, rng);
    let mut elapsed = 0.0;
    let mut scene =
        Scene { joints_in_camera: Vec::new(), gravity_in_camera: Vec::new(), keypoints: Vec::new(), step_secs };
    for (pose, step) in world.iter().zip(&scene.step_secs) {
        let camera_from_world = camera.rotation(elapsed);
        let joints = camera.see(pose, &camera_from_world, elapsed);
        scene.gravity_in_camera.push(UnitVector3::new_normalize(-camera_from_world.column(2)));
        scene.keypoints.push(joints.map(|joint| camera.project(&joint)));
        scene.joints_in_camera.push(joints);
        elapsed += step;
    }
    scene
}

fn draw_steps(length: usize, settings: &SceneSettings, rng: &mut impl Rng) -> Vec<f64> {
    let period = 1.0 / MODEL_RATE_HZ;
    let jitter = if rng.random_bool(0.5) { settings.stamp_jitter } else { 0.0 };
    (0..length).map(|_| period * (1.0 + jitter * rng.random_range(-1.0..1.0)).clamp(0.5, 1.5)).collect()
}

/// The pose at fractional index `at`; a clip that ends is played backwards, then forwards again.
fn pose_at(clip: &Clip, at: f64) -> WorldPose {
    let last = (clip.poses.len() - 1) as f64;
    let phase = at.rem_euclid(2.0 * last);
    let at = if phase > last { 2.0 * last - phase } else { phase };
    let (index, fraction) = (at.floor() as usize, at.fract());
    let next = (index + 1).min(clip.poses.len() - 1);
    std::array::from_fn(|joint| clip.poses[index][joint].lerp(&clip.poses[next][joint], fraction))
}

/// The pose seen in a mirror: left is right.
pub(crate) fn mirrored(pose: &WorldPose) -> WorldPose {
    std::array::from_fn(|joint| {
        let other = pose[Joint::ALL[joint].mirrored().index()];
        Vector3::new(-other.x, other.y, other.z)
    })
}

/// A camera in the world with its own motion; z up in the world, optical frame in the camera.
struct Camera {
    position: Vector3<f64>,
    velocity: Vector3<f64>,
    yaw: f64,
    pitch: f64,
    roll: f64,
    pan_amplitude: f64,
    nod_amplitude: f64,
    sway_rate: f64,
    sway_phase: f64,
    half_width: f64,
    half_height: f64,
}

impl Camera {
    /// Aims at the person in the middle of the clip, more or less.
    fn draw(world: &[WorldPose], rng: &mut impl Rng) -> Self {
        let root = world[world.len() / 2][Joint::Pelvis.index()];
        let distance = 1.6 * (14.0_f64 / 1.6).powf(rng.random::<f64>());
        let azimuth = rng.random_range(0.0..std::f64::consts::TAU);
        // A robot looks about level; a camera under the ceiling looks down.
        let elevation: f64 =
            if rng.random_bool(0.6) { rng.random_range(-0.15..0.3) } else { rng.random_range(-0.3..0.9) };
        let across = distance * elevation.cos();
        let height = (root.z + distance * elevation.sin()).max(0.1);
        let position = Vector3::new(root.x + across * azimuth.cos(), root.y + across * azimuth.sin(), height);
        let half_width = rng.random_range(0.3..1.1);
        let half_height =
            half_width * if rng.random_bool(0.3) { rng.random_range(1.2..1.8) } else { rng.random_range(0.55..0.8) };
        // Where in the image the person's middle is: mostly inside, sometimes cut by the border.
        let target = root - position;
        let aside: f64 = rng.random_range(-0.6..0.6) * half_width;
        let above: f64 = rng.random_range(-0.35..0.35) * half_height;
        let yaw = target.y.atan2(target.x) + aside.atan();
        let pitch = (-target.z).atan2(target.x.hypot(target.y)) + above.atan();
        let moving = rng.random_bool(0.5);
        let amount = if moving { 1.0 } else { 0.0 };
        let roll_limit = if rng.random_bool(0.1) { 0.5 } else { 0.1 };
        Self {
            position,
            velocity: Vector3::new(rng.random_range(-0.5..0.5), rng.random_range(-0.5..0.5), 0.0) * amount,
            yaw,
            pitch,
            roll: rng.random_range(-roll_limit..roll_limit),
            pan_amplitude: amount * rng.random_range(0.0..0.15),
            nod_amplitude: amount * rng.random_range(0.0..0.05),
            sway_rate: rng.random_range(0.3..3.0),
            sway_phase: rng.random_range(0.0..std::f64::consts::TAU),
            half_width,
            half_height,
        }
    }

    /// Rotation from the world to the camera.
    fn rotation(&self, elapsed: f64) -> Matrix3<f64> {
        let sway = (self.sway_rate * elapsed + self.sway_phase).sin();
        let yaw = self.yaw + self.pan_amplitude * sway;
        let pitch = self.pitch + self.nod_amplitude * sway;
        let forward = Vector3::new(yaw.cos() * pitch.cos(), yaw.sin() * pitch.cos(), -pitch.sin());
        let right = Vector3::new(yaw.sin(), -yaw.cos(), 0.0);
        let down = forward.cross(&right);
        let level = Matrix3::from_rows(&[right.transpose(), down.transpose(), forward.transpose()]);
        let roll = Rotation3::from_axis_angle(&Vector3::z_axis(), self.roll);
        roll.matrix() * level
    }

    fn see(&self, pose: &WorldPose, camera_from_world: &Matrix3<f64>, elapsed: f64) -> JointArray<Vector3<f64>> {
        let position = self.position + self.velocity * elapsed;
        pose.map(|joint| camera_from_world * (joint - position))
    }

    fn project(&self, joint: &Vector3<f64>) -> Option<Point2<f64>> {
        let inside = joint.z > NEAREST_M
            && (joint.x / joint.z).abs() < self.half_width
            && (joint.y / joint.z).abs() < self.half_height;
        inside.then(|| Point2::new(joint.x / joint.z, joint.y / joint.z))
    }
}

/// Joints relative to the pelvis.
pub fn from_root(joints: &JointArray<Vector3<f64>>) -> JointArray<Vector3<f64>> {
    let root = joints[Joint::Pelvis.index()];
    joints.map(|joint| joint - root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocap::Split;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn standing() -> Clip {
        let pose: WorldPose = std::array::from_fn(|joint| Vector3::new(0.0, 0.05 * joint as f64, 0.1 * joint as f64));
        Clip { source: "test".into(), subject: "test".into(), split: Split::Train, poses: vec![pose; 10] }
    }

    const SETTINGS: SceneSettings = SceneSettings {
        speed: (0.5, 2.0),
        retarget_share: 0.0,
        recorded_body_share: 0.0,
        recombined_share: 0.0,
        stamp_jitter: 0.3,
        posture_share: 0.0,
        mirror: true,
    };

    #[test]
    fn the_camera_is_a_rigid_motion_and_sees_the_person_upright() {
        let mut upright = 0;
        for seed in 0..50 {
            let scene = draw(&Cast::alone(&standing()), 20, &SETTINGS, &mut ChaCha8Rng::seed_from_u64(seed));
            for joints in &scene.joints_in_camera {
                // The head stays itself when the clip is mirrored.
                let height = joints[Joint::Head.index()] - joints[0];
                assert!((height.norm() - (0.5_f64.powi(2) + 1.0_f64.powi(2)).sqrt()).abs() < 1e-9);
            }
            let first = &scene.joints_in_camera[0];
            assert!(first[0].z > 0.5, "seed {seed}: the person is behind the camera");
            upright += usize::from(first[Joint::Head.index()].y < first[0].y);
        }
        // A camera that looks almost straight down has no up.
        assert!(upright >= 45, "up is up in {upright} of 50 scenes");
    }

    #[test]
    fn gravity_points_from_head_to_foot_and_is_known_but_roughly() {
        // Straight up, whatever the camera does.
        let pose: WorldPose = std::array::from_fn(|joint| Vector3::new(0.0, 0.0, 0.1 * joint as f64));
        let clip = Clip { poses: vec![pose; 10], ..standing() };
        let mut errors = Vec::new();
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let scene = draw(&Cast::alone(&clip), 20, &SETTINGS, &mut rng);
            for (joints, gravity) in scene.joints_in_camera.iter().zip(&scene.gravity_in_camera) {
                let down = (joints[0] - joints[Joint::Head.index()]).normalize();
                assert!((down - gravity.into_inner()).norm() < 1e-9);
            }
            let known = scene.known_gravity(&mut rng);
            let angle = |time: usize| known[time].angle(&scene.gravity_in_camera[time]);
            assert!((angle(0) - angle(19)).abs() < 0.05, "one mount a scene");
            errors.push(angle(0));
        }
        let rms = (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt();
        // Two of the three axes count: what turns about gravity changes nothing.
        let wanted = TILT_ERROR_RAD * 2.0_f64.sqrt();
        assert!((rms / wanted - 1.0).abs() < 0.15, "{rms} instead of {wanted}");
    }

    #[test]
    fn the_same_seed_draws_the_same_scene() {
        let draw = || draw(&Cast::alone(&standing()), 20, &SETTINGS, &mut ChaCha8Rng::seed_from_u64(3));
        assert_eq!(draw().joints_in_camera, draw().joints_in_camera);
    }

    #[test]
    fn clips_play_back_and_forth() {
        let mut clip = standing();
        for (index, pose) in clip.poses.iter_mut().enumerate() {
            pose[0].x = index as f64;
        }
        for (at, expected) in [(0.5, 0.5), (9.0, 9.0), (10.0, 8.0), (18.0, 0.0), (19.5, 1.5)] {
            assert!((pose_at(&clip, at)[0].x - expected).abs() < 1e-9, "at {at}");
        }
    }
}
