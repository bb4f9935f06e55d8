#![allow(clippy::unwrap_used)]
use super::*;
use nalgebra::Unit;
use proptest::prelude::*;

fn body() -> JointArray<Vector3<f64>> {
    // Someone who stands with the arms a little out; y down.
    let at = |x: f64, y: f64, z: f64| Vector3::new(x, y, z);
    [
        at(0.0, 0.0, 0.0),
        at(-0.12, 0.0, 0.0),
        at(-0.13, 0.42, -0.03),
        at(-0.13, 0.84, 0.05),
        at(0.12, 0.0, 0.0),
        at(0.13, 0.42, 0.05),
        at(0.13, 0.84, 0.0),
        at(0.0, -0.23, 0.0),
        at(0.0, -0.47, 0.0),
        at(0.0, -0.62, -0.1),
        at(0.0, -0.74, 0.0),
        at(0.18, -0.45, 0.0),
        at(0.28, -0.2, 0.05),
        at(0.3, 0.05, -0.1),
        at(-0.18, -0.45, 0.0),
        at(-0.28, -0.2, 0.0),
        at(-0.3, 0.04, -0.15),
    ]
}

fn lifted(joints_from_root: JointArray<Vector3<f64>>) -> LiftedPose {
    LiftedPose {
        joints_from_root,
        sigma_lateral: [0.03; JOINT_COUNT],
        sigma_depth: [0.05; JOINT_COUNT],
        viewing_direction: Unit::new_normalize(Vector3::z()),
    }
}

fn seen(root: &Vector3<f64>) -> JointArray<Option<KeypointForRefinement>> {
    body().map(|joint| {
        let joint = joint + root;
        let point = Point2::new(joint.x / joint.z, joint.y / joint.z);
        Some(KeypointForRefinement { point, confidence: 0.9, sigma: 0.005 })
    })
}

fn at(image: i64) -> Stamp {
    Stamp::from_nanoseconds(image * 33_333_333)
}

#[test]
fn a_perfect_pose_gives_the_true_root() {
    let root = Vector3::new(0.7, 0.2, 4.5);
    let refined =
        PersonRefiner::default().refine(&RefineSettings::default(), &lifted(body()), &seen(&root), at(0)).unwrap();
    let found = refined.joints[0].position_in_camera.coords;
    assert!((found - root).norm() < 1e-3, "{found}");
    assert!(refined.joints.iter().all(|joint| joint.state == JointState::Measured));
}

#[test]
fn keypoints_pull_a_wrong_pose_into_place() {
    let root = Vector3::new(0.0, 0.1, 4.0);
    let mut wrong = body();
    wrong[Joint::LWrist.index()].x += 0.08;
    let wrong = lifted(wrong);
    let error = |mode: RefineMode| {
        let settings = RefineSettings { mode, ..RefineSettings::default() };
        let refined = PersonRefiner::default().refine(&settings, &wrong, &seen(&root), at(0)).unwrap();
        let wrist = refined.joints[Joint::LWrist.index()].position_in_camera - refined.joints[0].position_in_camera;
        (wrist - body()[Joint::LWrist.index()]).norm()
    };
    assert!(error(RefineMode::Confidence) < 0.6 * error(RefineMode::Off));
}

#[test]
fn a_confident_outlier_neither_moves_the_person_nor_counts_as_measured() {
    let root = Vector3::new(0.0, 0.1, 4.0);
    let mut keypoints = seen(&root);
    keypoints[Joint::RAnkle.index()].as_mut().unwrap().point.x += 0.3;
    let refined =
        PersonRefiner::default().refine(&RefineSettings::default(), &lifted(body()), &keypoints, at(0)).unwrap();
    assert!((refined.joints[0].position_in_camera.coords - root).norm() < 0.05);
    assert_eq!(refined.joints[Joint::RAnkle.index()].state, JointState::Inferred);
}

#[test]
fn someone_hidden_is_predicted_with_growing_doubt_and_never_measured() {
    let mut refiner = PersonRefiner::default();
    let settings = RefineSettings::default();
    for image in 0..10 {
        let root = Vector3::new(0.03 * image as f64, 0.1, 4.0);
        refiner.refine(&settings, &lifted(body()), &seen(&root), at(image)).unwrap();
    }
    let mut last = 0.0;
    for image in 10..20 {
        let refined = refiner.refine(&settings, &lifted(body()), &[None; JOINT_COUNT], at(image)).unwrap();
        assert!(refined.joints.iter().all(|joint| joint.state == JointState::Predicted));
        let doubt = refined.joints[0].covariance.trace();
        assert!(doubt > last);
        last = doubt;
    }
    assert!(PersonRefiner::default().refine(&settings, &lifted(body()), &[None; JOINT_COUNT], at(0)).is_none());
}

#[test]
fn the_confidence_is_the_share_of_sampled_errors_within_the_radius() {
    // numpy: np.mean(np.linalg.norm(rng.normal(size=(10**7, 3)) * sigma, axis=1) < 0.15), seed 0
    for (sigma, share) in [
        ([0.1, 0.1, 0.1], 0.4781),
        ([0.02, 0.02, 0.2], 0.5387),
        ([0.05, 0.05, 0.05], 0.9707),
        ([0.02, 0.05, 0.1], 0.8306),
        ([0.3, 0.3, 0.3], 0.0309),
    ] {
        let covariance = Matrix3::from_diagonal(&Vector3::from(sigma).map(|sigma| sigma * sigma));
        let found = probability_within(&covariance, 0.15);
        assert!((found - share).abs() < 0.02, "{sigma:?}: {found} for {share}");
    }
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![8 => -2.0..2.0_f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => -1e9..1e9_f64]
}

proptest! {
    /// Whatever the keypoints are: no panic, no cost above the start's, everything finite, covariances positive definite.
    #[test]
    fn anything_in_nothing_broken_out(
        values in prop::collection::vec((any_value(), any_value(), any_value(), any_value(), any::<bool>()), JOINT_COUNT * 3),
        steps in prop::collection::vec(-100_000_000..400_000_000_i64, 3),
    ) {
        let mut refiner = PersonRefiner::default();
        let mut nanoseconds = 0;
        for (image, step) in steps.into_iter().enumerate() {
            nanoseconds += step;
            let keypoints = std::array::from_fn(|joint| {
                let (x, y, confidence, sigma, is_seen) = values[image * JOINT_COUNT + joint];
                is_seen.then_some(KeypointForRefinement { point: Point2::new(x, y), confidence, sigma: sigma * 0.02 })
            });
            let stamp = Stamp::from_nanoseconds(nanoseconds);
            let Some(refined) = refiner.refine(&RefineSettings::default(), &lifted(body()), &keypoints, stamp) else { continue };
            prop_assert!(refined.cost_after <= refined.cost_before);
            for joint in refined.joints {
                prop_assert!(joint.position_in_camera.coords.iter().all(|value| value.is_finite()));
                prop_assert!((0.0..=1.0).contains(&joint.confidence));
                prop_assert!(joint.covariance.cholesky().is_some(), "{}", joint.covariance);
            }
        }
    }
}

#[test]
fn nobody_runs_away_while_hidden_and_comes_back_where_they_are() {
    let mut refiner = PersonRefiner::new();
    let settings = RefineSettings::default();
    let root = |image: i64| Vector3::new(0.02 * image as f64, 0.1, 4.0 + 0.02 * image as f64);
    for image in 0..30 {
        refiner.refine(&settings, &lifted(body()), &seen(&root(image)), at(image)).unwrap();
    }
    // Ten seconds unseen: at most one second's way further on.
    for image in 30..330 {
        let refined = refiner.refine(&settings, &lifted(body()), &[None; JOINT_COUNT], at(image)).unwrap();
        assert!((refined.joints[0].position_in_camera.coords - root(29)).norm() < 1.0);
    }
    let mut error = f64::INFINITY;
    for image in 330..360 {
        let refined = refiner.refine(&settings, &lifted(body()), &seen(&root(40)), at(image)).unwrap();
        error = (refined.joints[0].position_in_camera.coords - root(40)).norm();
    }
    assert!(error < 0.02, "{error} m off");
}

#[test]
fn a_walker_towards_the_camera_is_followed_without_lag_at_any_rate() {
    for rate in [10.0, 30.0, 100.0] {
        let (mut refiner, settings) = (PersonRefiner::new(), RefineSettings::default());
        let mut error = f64::INFINITY;
        for image in 0..(3.0 * rate) as i64 {
            let time = image as f64 / rate;
            let root = Vector3::new(0.3, 0.1, 6.0 - 1.2 * time);
            let stamp = Stamp::from_nanoseconds((time * 1e9) as i64);
            let refined = refiner.refine(&settings, &lifted(body()), &seen(&root), stamp).unwrap();
            error = (refined.joints[0].position_in_camera.coords - root).norm();
        }
        assert!(error < 0.03, "{error} m behind at {rate} Hz");
    }
}

#[test]
fn keypoints_under_the_threshold_change_nothing() {
    let root = Vector3::new(0.0, 0.1, 4.0);
    let settings = RefineSettings { confidence_threshold: 0.3, ..RefineSettings::default() };
    let mut with = seen(&root);
    let mut without = with;
    let wrist = Joint::LWrist.index();
    let keypoint = with[wrist].as_mut().unwrap();
    (keypoint.confidence, keypoint.point.x) = (0.29, keypoint.point.x + 0.05);
    without[wrist] = None;
    let refine = |keypoints| PersonRefiner::new().refine(&settings, &lifted(body()), keypoints, at(0)).unwrap();
    assert_eq!(refine(&with), refine(&without));
    assert_eq!(refine(&with).joints[wrist].state, JointState::Inferred);
}

/// A level camera so high over the floor.
fn upright(camera_height: f64) -> Upright {
    Upright { down: Vector3::y_axis(), camera_height: Some(camera_height) }
}

/// Roots that are found for somebody `size` times as large as the lifter says, whose feet are `over_floor(image)` over the floor, 1.3 m
/// below the camera, 4 m away; and the standard deviation along the ray of the last one's depth, m.
fn on_floor(
    size: f64,
    images: i64,
    told: Option<Upright>,
    over_floor: impl Fn(i64) -> f64,
) -> (Vec<Vector3<f64>>, f64) {
    let settings = RefineSettings::default();
    let mut refiner = PersonRefiner::default();
    let body = body();
    let lowest = body.iter().map(|joint| joint.y).fold(f64::NEG_INFINITY, f64::max);
    let mut sigma = 0.0;
    let roots = (0..images)
        .map(|image| {
            let root = Vector3::new(0.3, 1.3 - 0.085 * size - lowest * size - over_floor(image), 4.0);
            let keypoints = body.map(|joint| {
                let joint = joint * size + root;
                let point = Point2::new(joint.x / joint.z, joint.y / joint.z);
                Some(KeypointForRefinement { point, confidence: 0.9, sigma: 0.005 })
            });
            refiner.set_upright(told);
            let refined = refiner.refine(&settings, &lifted(body), &keypoints, at(image)).unwrap();
            sigma = refined.joints[0].covariance[(2, 2)].sqrt();
            refined.joints[0].position_in_camera.coords
        })
        .collect();
    (roots, sigma)
}

#[test]
fn a_floor_tells_children_from_people_far_away() {
    for size in [0.65, 0.9, 1.0, 1.12] {
        let (untold, untold_sigma) = on_floor(size, 60, None, |_| 0.0);
        let (told, told_sigma) = on_floor(size, 60, Some(upright(1.3)), |_| 0.0);
        let share = |root: &Vector3<f64>| root.z / 4.0;
        assert!((share(&untold[59]) - 1.0 / size).abs() < 0.01, "{size}: untold {}", share(&untold[59]));
        assert!((share(&told[59]) - 1.0).abs() < 0.035, "{size}: told {}", share(&told[59]));
        assert!(told_sigma < untold_sigma, "{size}: {told_sigma} m instead of {untold_sigma}");
        // One look tells most of it.
        assert!((share(&told[0]) - 1.0).abs() < 0.06 + 0.3 * (1.0 / size - 1.0).abs(), "{size}: {}", share(&told[0]));
    }
}

#[test]
fn whoever_jumps_stays_as_large() {
    let jump = |image: i64| if (60..75).contains(&image) { 0.35 } else { 0.0 };
    let (roots, _) = on_floor(1.0, 90, Some(upright(1.3)), jump);
    let farthest = roots[60..].iter().map(|root| (root.z - roots[59].z).abs()).fold(0.0, f64::max);
    assert!(farthest < 0.12, "{farthest} m");
}

#[test]
fn without_a_floor_or_without_feet_nothing_is_told() {
    let of = |told: Option<Upright>, feet: bool| {
        let mut refiner = PersonRefiner::default();
        refiner.set_upright(told);
        let mut keypoints = seen(&Vector3::new(0.3, 0.1, 4.0));
        if !feet {
            for joint in [Joint::LKnee, Joint::RKnee, Joint::LAnkle, Joint::RAnkle] {
                keypoints[joint.index()] = None;
            }
        }
        (0..30)
            .map(|image| refiner.refine(&RefineSettings::default(), &lifted(body()), &keypoints, at(image)).unwrap())
            .collect::<Vec<_>>()
    };
    let no_height = Some(Upright { down: Vector3::y_axis(), camera_height: None });
    for feet in [true, false] {
        assert_eq!(of(no_height, feet), of(None, feet));
    }
    assert_eq!(of(Some(upright(1.3)), false), of(None, false));
    assert_ne!(of(Some(upright(1.3)), true), of(None, true));
}

#[test]
fn another_stream_of_the_same_person_takes_over_the_size() {
    let keypoints = seen(&Vector3::new(0.0, -0.2, 4.0));
    let (mut told, mut other) = (PersonRefiner::default(), PersonRefiner::default());
    told.set_upright(Some(upright(0.75)));
    let refine = |refiner: &mut PersonRefiner, image: i64| {
        let refined = refiner.refine(&RefineSettings::default(), &lifted(body()), &keypoints, at(image)).unwrap();
        refined.joints[0].position_in_camera.z
    };
    for image in 0..30 {
        refine(&mut told, image);
        refine(&mut other, image);
    }
    let before = refine(&mut other, 30);
    other.take_stature_of(&told);
    let (own, after) = (refine(&mut told, 30), refine(&mut other, 31));
    assert!((before - 4.0).abs() < 0.02 && own > 4.05 && (after - own).abs() < 0.03, "{before} {own} {after}");
}
