//! What the refinement promises to whoever calls it, whatever it is built of inside: no heap allocation, nothing
//! broken out whatever the lifter says, and the same motion at every image rate.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/allocations.rs"]
mod allocations;

use allocations::{CountingAllocator, allocations};
use nalgebra::{Point2, Unit, Vector3};
use stridepose::data::{JointState, LiftedPose, Stamp};
use stridepose::skeleton::{JOINT_COUNT, JointArray};
use stridepose::stages::refine::{KeypointForRefinement, PersonRefiner, RefineMode, RefineSettings, Refined};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const MODES: [RefineMode; 3] = [RefineMode::Off, RefineMode::Unweighted, RefineMode::Confidence];
const HIDDEN: JointArray<Option<KeypointForRefinement>> = [None; JOINT_COUNT];

/// A body of about human size, spread in depth.
fn lifted() -> LiftedPose {
    LiftedPose {
        joints_from_root: std::array::from_fn(|joint| {
            let at = joint as f64;
            if joint == 0 {
                return Vector3::zeros();
            }
            Vector3::new(0.3 * (1.7 * at).sin(), 0.1 * at - 0.8, 0.2 * (0.9 * at).cos())
        }),
        sigma_lateral: [0.04; JOINT_COUNT],
        sigma_depth: [0.06; JOINT_COUNT],
        viewing_direction: Unit::new_normalize(Vector3::z()),
    }
}

fn seen_at(root: &Vector3<f64>) -> JointArray<Option<KeypointForRefinement>> {
    lifted().joints_from_root.map(|joint| {
        let joint = joint + root;
        let point = Point2::new(joint.x / joint.z, joint.y / joint.z);
        Some(KeypointForRefinement { point, confidence: 0.9, sigma: 0.005 })
    })
}

fn at_secs(secs: f64) -> Stamp {
    Stamp::from_nanoseconds((secs * 1e9).round() as i64)
}

fn assert_sound(refined: &Refined, what: &str) {
    assert!(refined.cost_after <= refined.cost_before, "{what}: {} to {}", refined.cost_before, refined.cost_after);
    for joint in &refined.joints {
        assert!(joint.position_in_camera.coords.iter().all(|value| value.is_finite()), "{what}: {joint:?}");
        assert!(joint.covariance.iter().all(|value| value.is_finite()), "{what}: {joint:?}");
        assert!(joint.covariance.cholesky().is_some(), "{what}: {joint:?}");
        assert!((joint.covariance - joint.covariance.transpose()).norm() <= 0.0, "{what}: {joint:?}");
        assert!((0.0..=1.0).contains(&joint.confidence), "{what}: {joint:?}");
    }
}

#[test]
fn nothing_is_allocated_whether_seen_partly_seen_or_hidden() {
    for mode in MODES {
        let settings = RefineSettings { mode, ..RefineSettings::default() };
        let (mut refiner, lifted) = (PersonRefiner::default(), lifted());
        let (mut measured, mut predicted) = (0, 0);
        let before = allocations();
        for image in 0..90_u32 {
            let secs = f64::from(image) / 30.0;
            let mut keypoints = seen_at(&Vector3::new(0.5 * secs, 0.1, 4.0 + 0.2 * secs));
            match image % 9 {
                7 => keypoints = HIDDEN,
                5 => keypoints.iter_mut().skip(5).for_each(|keypoint| *keypoint = None),
                3 => keypoints[4].as_mut().unwrap().point.x += 0.5,
                _ => {}
            }
            let refined = refiner.refine(&settings, &lifted, &keypoints, at_secs(secs)).unwrap();
            let count = |state: JointState| refined.joints.iter().filter(|joint| joint.state == state).count();
            measured += count(JointState::Measured);
            predicted += count(JointState::Predicted);
        }
        assert_eq!(allocations() - before, 0, "{mode:?} allocates");
        assert!(
            measured > 500 && predicted == 10 * JOINT_COUNT,
            "{mode:?}: {measured} measured, {predicted} predicted"
        );
    }
    // The counter counts at all.
    let before = allocations();
    drop(std::hint::black_box(vec![1_u8; 10]));
    assert_eq!(allocations() - before, 1);
}

/// Every kind of nonsense a lifter may answer with.
fn hostile_poses() -> Vec<(String, LiftedPose)> {
    let mut poses = Vec::new();
    for value in [f64::NAN, f64::INFINITY, -f64::INFINITY, 1e300, -1e300, 1e12, 0.0, -1.0, f64::MIN_POSITIVE] {
        let mut add = |what: &str, change: &dyn Fn(&mut LiftedPose)| {
            let mut pose = lifted();
            change(&mut pose);
            poses.push((format!("{what} {value:e}"), pose));
        };
        add("one joint's x", &|pose| pose.joints_from_root[6].x = value);
        add("every joint", &|pose| pose.joints_from_root = [Vector3::repeat(value); JOINT_COUNT]);
        add("one lateral sigma", &|pose| pose.sigma_lateral[3] = value);
        add("every lateral sigma", &|pose| pose.sigma_lateral = [value; JOINT_COUNT]);
        add("one depth sigma", &|pose| pose.sigma_depth[9] = value);
        add("every sigma", &|pose| {
            pose.sigma_lateral = [value; JOINT_COUNT];
            pose.sigma_depth = [value; JOINT_COUNT];
        });
        add("the direction", &|pose| pose.viewing_direction = Unit::new_unchecked(Vector3::repeat(value)));
    }
    poses
}

#[test]
fn a_broken_lifted_pose_breaks_nothing_now_or_later() {
    let root = Vector3::new(0.3, 0.1, 4.0);
    for (what, hostile) in hostile_poses() {
        for mode in MODES {
            let settings = RefineSettings { mode, ..RefineSettings::default() };
            for (when, keypoints) in [("seen", seen_at(&root)), ("hidden", HIDDEN)] {
                for images_before in [0_u32, 12] {
                    let what = format!("{what}, {mode:?}, {when}, after {images_before} images");
                    let mut refiner = PersonRefiner::default();
                    let mut secs = 0.0;
                    let mut next = || {
                        secs += 1.0 / 30.0;
                        at_secs(secs)
                    };
                    for _ in 0..images_before {
                        refiner.refine(&settings, &lifted(), &seen_at(&root), next()).unwrap();
                    }
                    if let Some(refined) = refiner.refine(&settings, &hostile, &keypoints, next()) {
                        assert_sound(&refined, &what);
                    }
                    // The person is found again once the lifter has come to its senses.
                    let mut last = None;
                    for _ in 0..30 {
                        last = refiner.refine(&settings, &lifted(), &seen_at(&root), next());
                    }
                    let last = last.unwrap_or_else(|| panic!("{what}: lost for good"));
                    assert_sound(&last, &what);
                    let off = (last.joints[0].position_in_camera.coords - root).norm();
                    assert!(off < 0.3, "{what}: still {off} m off a second later");
                }
            }
        }
    }
}

/// Walks to the right at 1.2 m/s for a second, then is hidden for 0.4 s. Where is the pelvis said to be?
fn pelvis_after_hiding(rate_hz: f64) -> Refined {
    let (settings, mut refiner) = (RefineSettings::default(), PersonRefiner::default());
    let mut last = None;
    for image in 0..=(1.4 * rate_hz).round() as u32 {
        let secs = f64::from(image) / rate_hz;
        let is_hidden = secs > 1.0 + 1e-6;
        let keypoints = if is_hidden { HIDDEN } else { seen_at(&Vector3::new(1.2 * secs - 0.6, 0.1, 4.0)) };
        last = refiner.refine(&settings, &lifted(), &keypoints, at_secs(secs));
    }
    last.unwrap()
}

#[test]
fn a_prediction_depends_on_the_time_that_passed_and_not_on_the_number_of_images() {
    let slow = pelvis_after_hiding(15.0);
    for rate_hz in [30.0, 60.0, 120.0] {
        let fast = pelvis_after_hiding(rate_hz);
        let x = [&slow, &fast].map(|refined| refined.joints[0].position_in_camera.x);
        assert!((x[0] - x[1]).abs() < 0.03, "x after 0.4 s: {} m at 15 Hz, {} m at {rate_hz} Hz", x[0], x[1]);
        let sigma = [&slow, &fast].map(|refined| refined.joints[0].covariance[(0, 0)].sqrt());
        let ratio = sigma[1] / sigma[0];
        assert!((0.6..1.7).contains(&ratio), "σ_x: {} m at 15 Hz, {} m at {rate_hz} Hz", sigma[0], sigma[1]);
    }
}

#[test]
fn one_image_of_somebody_else_is_forgotten_within_a_second() {
    let root = Vector3::new(0.3, 0.1, 4.0);
    for somebody_else in [Vector3::new(1.5, 0.1, 4.0), Vector3::new(0.3, 0.1, 7.0), Vector3::new(0.2, 0.1, 2.0)] {
        for mode in MODES {
            let settings = RefineSettings { mode, ..RefineSettings::default() };
            let mut refiner = PersonRefiner::default();
            let mut off = [0.0; 45];
            for (image, off) in off.iter_mut().enumerate() {
                let keypoints = seen_at(if image == 14 { &somebody_else } else { &root });
                let stamp = at_secs(image as f64 / 30.0);
                let refined = refiner.refine(&settings, &lifted(), &keypoints, stamp).unwrap();
                assert_sound(&refined, &format!("{mode:?}, image {image}"));
                *off = (refined.joints[0].position_in_camera.coords - root).norm();
            }
            let trace: Vec<_> = off.iter().skip(13).step_by(3).map(|off| format!("{off:.2}")).collect();
            assert!(off[13] < 0.02, "{mode:?}: {trace:?} m off, every third image");
            assert!(off[44] < 0.05, "{mode:?}, {somebody_else:?}: {trace:?} m off, every third image");
        }
    }
}
