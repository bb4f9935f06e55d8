//! Errors of one predicted skeleton against its truth, joint by joint, in mm.
//!
//! * MPJPE: distance of each joint to the truth after both roots are put on each other.
//! * N-MPJPE: the same after the predicted root-relative skeleton was scaled by s = Σ⟨p, t⟩ / Σ⟨p, p⟩, which minimises
//!   the sum of squared distances (Rhodin et al., CVPR 2018; `VideoPose3D`'s `n_mpjpe`).
//! * PA-MPJPE: the same after the best similarity (Procrustes alignment with scale and without reflection; "protocol 2").
//! * MRPE: distance of the roots themselves in the camera frame (Moon et al., ICCV 2019).
//!
//! Only joints that both sides have take part, also in the alignments: the mask comes before the alignment. The root
//! is the pelvis; where the truth has none, the middle of both hips, then on both sides. With the pelvis as root its
//! own error is 0 and counts, as is usual in the field.

use nalgebra::{Point3, Vector3};

use crate::geometry::{ScaleFit, Similarity};
use crate::skeleton::{JOINT_COUNT, Joint, JointArray};

/// Joints of one person in the camera frame, m; `None` is absent.
pub type JointPositions = JointArray<Option<Point3<f64>>>;

/// Millimetres in a metre.
const MM: f64 = 1000.0;

/// Errors of one skeleton in mm; `None` where a side lacks the joint, or what the alignment needs.
#[derive(Clone, Debug, PartialEq)]
pub struct PoseError {
    /// Distance of the joints with the roots on each other.
    pub mpjpe_mm: JointArray<Option<f64>>,
    /// The same with the best scale.
    pub n_mpjpe_mm: JointArray<Option<f64>>,
    /// The same with the best similarity.
    pub pa_mpjpe_mm: JointArray<Option<f64>>,
    /// Predicted minus true root in the camera frame.
    pub root_mm: Option<Vector3<f64>>,
}

impl PoseError {
    /// The errors of `predicted`.
    pub fn of(predicted: &JointPositions, truth: &JointPositions) -> Self {
        let roots = root_pair(predicted, truth);
        let relative = roots.map(|(predicted_root, true_root)| {
            (predicted.map(|joint| joint.map(|p| p - predicted_root)), truth.map(|joint| joint.map(|t| t - true_root)))
        });
        let errors_with_scale = |scale: f64| match &relative {
            Some((predicted, truth)) => {
                pairwise(predicted, truth, |p: &Vector3<f64>, t: &Vector3<f64>| (p * scale - t).norm() * MM)
            }
            None => [None; JOINT_COUNT],
        };
        Self {
            mpjpe_mm: errors_with_scale(1.0),
            n_mpjpe_mm: relative
                .as_ref()
                .and_then(|(predicted, truth)| best_scale(predicted, truth))
                .map_or([None; JOINT_COUNT], errors_with_scale),
            pa_mpjpe_mm: procrustes_errors(predicted, truth),
            root_mm: roots.map(|(predicted_root, true_root)| (predicted_root - true_root) * MM),
        }
    }
}

/// The roots of both, found in the same way: pelvis, or middle of the hips where one side has no pelvis.
pub fn root_pair(predicted: &JointPositions, truth: &JointPositions) -> Option<(Point3<f64>, Point3<f64>)> {
    let pelvis = |joints: &JointPositions| joints[Joint::Pelvis.index()];
    pelvis(predicted).zip(pelvis(truth)).or_else(|| hip_center(predicted).zip(hip_center(truth)))
}

/// The root of one: pelvis, or middle of the hips where there is no pelvis.
pub fn root_of(joints: &JointPositions) -> Option<Point3<f64>> {
    joints[Joint::Pelvis.index()].or_else(|| hip_center(joints))
}

/// The middle of both hips.
fn hip_center(joints: &JointPositions) -> Option<Point3<f64>> {
    let (right, left) = joints[Joint::RHip.index()].zip(joints[Joint::LHip.index()])?;
    Some(nalgebra::center(&right, &left))
}

/// `of` for each joint that both sides have.
fn pairwise<A, B>(
    a: &JointArray<Option<A>>,
    b: &JointArray<Option<B>>,
    of: impl Fn(&A, &B) -> f64,
) -> JointArray<Option<f64>> {
    std::array::from_fn(|joint| a[joint].as_ref().zip(b[joint].as_ref()).map(|(a, b)| of(a, b)))
}

fn best_scale(predicted: &JointArray<Option<Vector3<f64>>>, truth: &JointArray<Option<Vector3<f64>>>) -> Option<f64> {
    let pairs = || predicted.iter().zip(truth).filter_map(|(p, t)| p.as_ref().zip(t.as_ref()));
    let both: f64 = pairs().map(|(p, t)| p.dot(t)).sum();
    let own: f64 = pairs().map(|(p, _)| p.norm_squared()).sum();
    (own > 0.0).then(|| both / own)
}

fn procrustes_errors(predicted: &JointPositions, truth: &JointPositions) -> JointArray<Option<f64>> {
    let (source, target): (Vec<_>, Vec<_>) = predicted.iter().zip(truth).filter_map(|(p, t)| (*p).zip(*t)).unzip();
    Similarity::fit(&source, &target, ScaleFit::Free).map_or([None; JOINT_COUNT], |truth_from_predicted| {
        pairwise(predicted, truth, |p, t| (truth_from_predicted.apply(p) - t).norm() * MM)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use nalgebra::Rotation3;
    use proptest::prelude::*;

    fn pose() -> impl Strategy<Value = JointPositions> {
        prop::array::uniform17(prop::array::uniform3(-1.0..1.0_f64))
            .prop_map(|joints| joints.map(|[x, y, z]| Some(Point3::new(x, y, z + 4.0))))
    }

    fn root_mean_square(errors: &JointArray<Option<f64>>) -> f64 {
        let squares: Vec<f64> = errors.iter().flatten().map(|error| error * error).collect();
        (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
    }

    fn nearly(a: &JointArray<Option<f64>>, b: &JointArray<Option<f64>>) -> bool {
        a.iter().zip(b).all(|(a, b)| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-5,
            (None, None) => true,
            _ => false,
        })
    }

    proptest! {
        #[test]
        fn pa_does_not_see_a_similarity(
            predicted in pose(), truth in pose(), scale in 0.2..4.0_f64, axis_angle in prop::array::uniform3(-3.0..3.0_f64),
            shift in prop::array::uniform3(-5.0..5.0_f64),
        ) {
            let moved = Similarity {
                scale, rotation: Rotation3::new(Vector3::from(axis_angle)), translation: Vector3::from(shift),
            };
            let other = predicted.map(|joint| joint.map(|p| moved.apply(&p)));
            let (before, after) = (PoseError::of(&predicted, &truth), PoseError::of(&other, &truth));
            prop_assert!(nearly(&before.pa_mpjpe_mm, &after.pa_mpjpe_mm));
        }

        #[test]
        fn mpjpe_does_not_see_a_shift_and_n_mpjpe_no_scale(
            predicted in pose(), truth in pose(), scale in 0.2..4.0_f64, shift in prop::array::uniform3(-5.0..5.0_f64),
        ) {
            let before = PoseError::of(&predicted, &truth);
            let shifted = predicted.map(|joint| joint.map(|p| p + Vector3::from(shift)));
            prop_assert!(nearly(&before.mpjpe_mm, &PoseError::of(&shifted, &truth).mpjpe_mm));
            let scaled = shifted.map(|joint| joint.map(|p| p * scale));
            prop_assert!(nearly(&before.n_mpjpe_mm, &PoseError::of(&scaled, &truth).n_mpjpe_mm));
        }

        #[test]
        fn more_freedom_never_costs_more(predicted in pose(), truth in pose()) {
            let error = PoseError::of(&predicted, &truth);
            let [plain, scaled, aligned] =
                [&error.mpjpe_mm, &error.n_mpjpe_mm, &error.pa_mpjpe_mm].map(root_mean_square);
            prop_assert!(scaled <= plain + 1e-9);
            prop_assert!(aligned <= root_mean_square(&error.mpjpe_mm) + 1e-6);
        }

        #[test]
        fn an_invisible_joint_changes_no_other(predicted in pose(), truth in pose(), hidden in 1..17_usize) {
            let mut seen = predicted;
            seen[hidden] = None;
            let (with, without) = (PoseError::of(&predicted, &truth), PoseError::of(&seen, &truth));
            let mut expected = with.mpjpe_mm;
            expected[hidden] = None;
            prop_assert_eq!(without.mpjpe_mm, expected);
            // Missing on the other side is the same, alignments included: the mask comes first.
            let mut blind = truth;
            blind[hidden] = None;
            prop_assert_eq!(&PoseError::of(&predicted, &blind), &without);
            prop_assert_eq!(&PoseError::of(&seen, &blind), &without);
        }
    }

    #[test]
    fn the_truth_itself_has_no_error() {
        let truth: JointPositions =
            std::array::from_fn(|i| Some(Point3::new((i as f64).sin(), (i as f64 * 1.7).cos(), 3.0 + 0.1 * i as f64)));
        let error = PoseError::of(&truth, &truth);
        for errors in [error.mpjpe_mm, error.n_mpjpe_mm, error.pa_mpjpe_mm] {
            assert!(errors.iter().all(|error| error.unwrap() < 1e-9));
        }
        assert_eq!(error.root_mm, Some(Vector3::zeros()));
    }

    #[test]
    fn without_a_true_pelvis_the_root_is_the_middle_of_the_hips_on_both_sides() {
        let mut predicted: JointPositions = [None; JOINT_COUNT];
        predicted[Joint::Pelvis.index()] = Some(Point3::new(9.0, 9.0, 9.0));
        predicted[Joint::RHip.index()] = Some(Point3::new(-0.1, 0.0, 3.0));
        predicted[Joint::LHip.index()] = Some(Point3::new(0.1, 0.0, 3.0));
        let mut truth = predicted;
        truth[Joint::Pelvis.index()] = None;
        truth[Joint::LHip.index()] = Some(Point3::new(0.3, 0.0, 3.0));
        let error = PoseError::of(&predicted, &truth);
        assert!((error.root_mm.unwrap() - Vector3::new(-100.0, 0.0, 0.0)).norm() < 1e-9);
        assert_eq!(error.mpjpe_mm[Joint::Pelvis.index()], None);
        assert!((error.mpjpe_mm[Joint::LHip.index()].unwrap() - 100.0).abs() < 1e-9);
        // Two joints cannot be aligned.
        assert_eq!(error.pa_mpjpe_mm, [None; JOINT_COUNT]);
        truth[Joint::RHip.index()] = None;
        let without_root = PoseError::of(&predicted, &truth);
        assert_eq!((without_root.root_mm, without_root.mpjpe_mm), (None, [None; JOINT_COUNT]));
    }
}
