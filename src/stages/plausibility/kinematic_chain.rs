//! Kinematic chain space: a pose as the products of its bones, which no camera changes (Wandt and Rosenhahn 2019, arXiv
//! 1902.09868; over time: Cheng et al. 2020, arXiv 2010.06844). It is what the discriminator looks at.
//!
//! Bones `B = C X`, 16 of them. Spatial KCS `Ψ = BᵀB`: lengths on the diagonal, angles beside it. Temporal KCS
//! `Φ(t, i) = Ψ(t) − Ψ(t − i)`: changes of lengths and angles.

use crate::skeleton::{BONES, JOINT_COUNT};

/// Values of a pose: 17 joints × 3.
pub const POSE_VALUES: usize = JOINT_COUNT * 3;
/// Values of the upper triangle of Ψ.
pub const KCS_VALUES: usize = BONES.len() * (BONES.len() + 1) / 2;
/// Changes are small beside the angles themselves: Φ is brought to their size.
pub const CHANGE_GAIN: f32 = 10.0;
/// Added to squared lengths under a root, m².
pub const LENGTH_FLOOR: f32 = 1e-6;

/// A pose, joint by joint, relative to the pelvis, m, in the axes of any camera.
pub type Pose = [f32; POSE_VALUES];
/// Upper triangle of Ψ, row by row, m².
pub type Psi = [f32; KCS_VALUES];

/// Values that the discriminator has of a window of so many poses: the pose, Ψ, and Φ to each of the others.
pub const fn feature_count(poses: usize) -> usize {
    POSE_VALUES + poses * KCS_VALUES
}

/// Ψ of `pose`.
pub fn psi(pose: &Pose) -> Psi {
    let mut bones = [[0.0; BONES.len()]; 3];
    for (bone, (parent, child)) in BONES.iter().enumerate() {
        for (axis, values) in bones.iter_mut().enumerate() {
            values[bone] = pose[child.index() * 3 + axis] - pose[parent.index() * 3 + axis];
        }
    }
    let [x, y, z] = &bones;
    let mut psi = [0.0; KCS_VALUES];
    let mut left = psi.as_mut_slice();
    for a in 0..BONES.len() {
        let (row, rest) = left.split_at_mut(BONES.len() - a);
        for (value, ((x_b, y_b), z_b)) in row.iter_mut().zip(x[a..].iter().zip(&y[a..]).zip(&z[a..])) {
            *value = x[a] * x_b + y[a] * y_b + z[a] * z_b;
        }
        left = rest;
    }
    psi
}

/// Appends what the discriminator has of a window to `out`, [`feature_count`] values: `pose`, its `psi` and the changes since
/// each of `earlier`, everything in units of the pose's mean bone length, so that the size of the body is not seen.
pub fn write_features<'a>(pose: &Pose, psi: &Psi, earlier: impl Iterator<Item = &'a Psi>, out: &mut Vec<f32>) {
    let per_size = 1.0 / mean_bone_length(psi);
    let per_square = per_size * per_size;
    out.extend(pose.iter().map(|value| value * per_size));
    out.extend(psi.iter().map(|value| value * per_square));
    let gain = per_square * CHANGE_GAIN;
    for then in earlier {
        out.extend(psi.iter().zip(then).map(|(now, then)| (now - then) * gain));
    }
}

/// What [`write_features`] gives for the poses of a window, the latest first; nothing for none.
pub fn window_features(poses: &[Pose]) -> Vec<f32> {
    let psis: Vec<Psi> = poses.iter().map(psi).collect();
    let mut features = Vec::new();
    if let (Some(pose), Some((now, earlier))) = (poses.first(), psis.split_first()) {
        write_features(pose, now, earlier.iter(), &mut features);
    }
    features
}

/// Mean length of the bones, m.
fn mean_bone_length(psi: &Psi) -> f32 {
    let mut diagonal = 0;
    let mut sum = 0.0;
    for bone in 0..BONES.len() {
        sum += (psi[diagonal].max(0.0) + LENGTH_FLOOR).sqrt();
        diagonal += BONES.len() - bone;
    }
    sum / BONES.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{Rotation3, Vector3};

    fn joints(seed: f64) -> [Vector3<f64>; JOINT_COUNT] {
        std::array::from_fn(|joint| {
            let joint = joint as f64;
            Vector3::new((joint * 1.3 + seed).sin(), (joint * 0.7 - seed).cos(), 0.1 * joint)
        })
    }

    fn pose(joints: &[Vector3<f64>; JOINT_COUNT]) -> Pose {
        std::array::from_fn(|value| joints[value / 3][value % 3] as f32)
    }

    #[test]
    fn psi_is_every_product_of_two_bones() {
        let joints = joints(0.4);
        let bones = BONES.map(|(parent, child)| joints[child.index()] - joints[parent.index()]);
        let psi = psi(&pose(&joints));
        let pairs = (0..BONES.len()).flat_map(|a| (a..BONES.len()).map(move |b| (a, b)));
        assert_eq!(pairs.clone().count(), KCS_VALUES);
        for (value, (a, b)) in psi.iter().zip(pairs) {
            assert!((f64::from(*value) - bones[a].dot(&bones[b])).abs() < 1e-5, "bones {a} and {b}");
        }
    }

    #[test]
    fn neither_the_camera_nor_the_size_of_the_body_is_seen() {
        let features = |turn: &Rotation3<f64>, scale: f64| {
            let features =
                window_features(&[0.4, 0.5].map(|seed| pose(&joints(seed).map(|joint| turn * joint * scale))));
            assert_eq!(features.len(), feature_count(2));
            features
        };
        let (as_is, large) = (features(&Rotation3::identity(), 1.0), features(&Rotation3::identity(), 1.7));
        let turned = features(&Rotation3::from_euler_angles(0.3, -1.1, 2.0), 1.0);
        for (at, value) in as_is.iter().enumerate() {
            assert!((value - large[at]).abs() < 1e-4, "value {at}");
            assert!(at < POSE_VALUES || (value - turned[at]).abs() < 1e-3, "value {at}");
        }
        assert!(as_is[feature_count(1)..].iter().any(|change| change.abs() > 0.1), "the change is there");
    }
}
