//! True poses have no loss, the root is found where it is, gradients lead to the truth.
#![allow(clippy::unwrap_used)]

use super::*;
use nalgebra::Vector3;

const ROOT: [f64; 3] = [0.05, -0.03, 3.5];
const CLIPS: usize = 2;
const TIMES: usize = 4;

/// A body with left and right alike, turning over time.
fn pose(row: usize) -> Vec<Vector3<f64>> {
    let (time, clip) = ((row / CLIPS) as f64, (row % CLIPS) as f64);
    let arm = |side: f64, out: f64, down: f64| Vector3::new(side * out, -0.5 + down, 0.1 * side * (0.3 * time).sin());
    let leg = |side: f64, down: f64| Vector3::new(side * 0.12, down, 0.0);
    let body = [
        Vector3::zeros(),
        leg(-1.0, 0.0),
        leg(-1.0, 0.43),
        leg(-1.0, 0.85),
        leg(1.0, 0.0),
        leg(1.0, 0.43),
        leg(1.0, 0.85),
        Vector3::new(0.0, -0.25, 0.0),
        Vector3::new(0.0, -0.5, 0.0),
        Vector3::new(0.0, -0.62, 0.0),
        Vector3::new(0.0, -0.75, 0.0),
        arm(1.0, 0.17, 0.0),
        arm(1.0, 0.2, 0.28),
        arm(1.0, 0.2, 0.53),
        arm(-1.0, 0.17, 0.0),
        arm(-1.0, 0.2, 0.28),
        arm(-1.0, 0.2, 0.53),
    ];
    let turn = nalgebra::Rotation3::from_euler_angles(0.1 * time, 0.4 * time + clip, 0.05);
    body.map(|joint| turn * joint).to_vec()
}

/// Answers and keypoints of every row and head; `change` alters the answered joints.
fn rows(change: impl Fn(usize, usize, Vector3<f64>) -> Vector3<f64>) -> (Vec<f32>, Vec<f32>) {
    let (mut answers, mut keypoints) = (Vec::new(), Vec::new());
    for row in 0..TIMES * CLIPS {
        for _ in LOOKAHEADS {
            let head = answers.len();
            for (joint, place) in pose(row).into_iter().enumerate() {
                let seen = place + Vector3::from(ROOT);
                keypoints.extend([(seen.x / seen.z) as f32, (seen.y / seen.z) as f32, 0.8]);
                let answered = change(row, joint, place);
                answers.extend([answered.x as f32, answered.y as f32, answered.z as f32]);
            }
            answers.resize(head + HEAD_VALUES, 0.0);
        }
    }
    (answers, keypoints)
}

fn tensor(values: &[f32], device: &Device) -> Tensor<2> {
    let rows = TIMES * CLIPS;
    Tensor::<1>::from_data(TensorData::from(values), device).reshape([rows, values.len() / rows])
}

fn scalar(tensor: Tensor<1>) -> f32 {
    tensor.into_scalar::<f32>()
}

fn losses(change: impl Fn(usize, usize, Vector3<f64>) -> Vector3<f64>) -> (f32, f32) {
    let device = Device::flex();
    let (answers, keypoints) = rows(change);
    let weights = Tensor::ones([TIMES * CLIPS, LOOKAHEADS.len()], &device);
    let terms = UnlabelledWeights::default();
    let loss = unlabelled_loss(&tensor(&answers, &device), &tensor(&keypoints, &device), &weights, CLIPS, &terms);
    (scalar(loss.total), scalar(loss.reprojection))
}

#[test]
fn the_truth_has_no_loss() {
    let (total, reprojection) = losses(|_, _, joint| joint);
    assert!(total < 2e-3 && reprojection < 1e-3, "{total} {reprojection}");
}

#[test]
fn the_root_is_found_in_closed_form() {
    let device = Device::flex();
    let (answers, keypoints) = rows(|_, _, joint| joint);
    let joints = axes(&tensor(&answers, &device).slice([0..TIMES * CLIPS, 0..POSE_VALUES]));
    let [x, y, score] = axes(&tensor(&keypoints, &device).slice([0..TIMES * CLIPS, 0..POSE_VALUES]));
    // One keypoint is wrong and weighs nothing.
    let wrong = Tensor::<1>::from_data(TensorData::from([9.0_f32; TIMES * CLIPS].as_slice()), &device);
    let x = x.slice_assign([0..TIMES * CLIPS, 4..5], wrong.clone().reshape([TIMES * CLIPS, 1]));
    let score = score.slice_assign([0..TIMES * CLIPS, 4..5], wrong.zeros_like().reshape([TIMES * CLIPS, 1]));
    for (found, expected) in root(&joints, &x, &y, &score).into_iter().zip(ROOT) {
        for found in found.into_data().try_to_vec::<f32>().unwrap() {
            assert!((f64::from(found) - expected).abs() < 2e-3, "{found} is not {expected}");
        }
    }
}

#[test]
fn each_fault_is_seen_by_its_term() {
    let (_, none) = losses(|_, _, joint| joint);
    // A wrist 10 cm aside: 0.1 / 17 m on average, less what the root gives way.
    let (_, aside) = losses(|_, joint, place| if joint == 13 { place + Vector3::x() * 0.1 } else { place });
    assert!((0.003..0.02).contains(&(aside - none)), "{aside}");
    // Twice the body at twice the distance looks the same; bones that breathe do not, in 3D.
    let (larger, _) = losses(|_, _, place| place * 2.0);
    assert!(larger < 4e-3, "{larger}");
    let (breathing, _) = losses(|row, _, place| place * (1.0 + 0.1 * ((row / CLIPS) % 2) as f64));
    assert!(breathing > 5e-3, "{breathing}");
    let (lopsided, _) = losses(|_, joint, place| if joint == 13 { place * 1.3 } else { place });
    assert!(lopsided > 5e-3, "{lopsided}");
}

#[test]
fn what_is_not_seen_gives_nothing_and_no_nan() {
    let device = Device::flex().autodiff();
    let (answers, keypoints) = rows(|_, _, joint| joint + Vector3::new(0.2, 0.0, -5.0));
    let answers = tensor(&answers, &device).require_grad();
    let weights = Tensor::zeros([TIMES * CLIPS, LOOKAHEADS.len()], &device);
    let keypoints = tensor(&keypoints, &device).mul_scalar(0.0);
    let loss = unlabelled_loss(&answers, &keypoints, &weights, CLIPS, &UnlabelledWeights::default());
    assert_eq!(scalar(loss.total.clone()), 0.0);
    let gradient = answers.grad(&loss.total.backward()).unwrap();
    assert!(scalar(gradient.abs().sum()) < 1e-12);
}

#[test]
fn following_the_gradient_brings_back_joints_across_the_line_of_sight() {
    let device = Device::flex().autodiff();
    let disturb = |row: usize, joint: usize, place: Vector3<f64>| {
        let off = |axis: usize| 0.05 * ((row * 51 + joint * 3 + axis) as f64 * 12.9898).sin();
        if joint == 0 { place } else { place + Vector3::new(off(0), off(1), off(2)) }
    };
    let (start, keypoints) = rows(disturb);
    let keypoints = tensor(&keypoints, &device);
    let weights = Tensor::ones([TIMES * CLIPS, LOOKAHEADS.len()], &device);
    let mut answers = tensor(&start, &device);
    let mut losses = Vec::new();
    for _ in 0..100 {
        let at = answers.detach().require_grad();
        let loss = unlabelled_loss(&at, &keypoints, &weights, CLIPS, &UnlabelledWeights::default());
        losses.push(scalar(loss.reprojection));
        let gradient = Tensor::from_data(at.grad(&loss.total.backward()).unwrap().into_data(), &device);
        answers = at - gradient.mul_scalar(2.0);
    }
    assert!(losses[99] < 0.5 * losses[0], "{} -> {}", losses[0], losses[99]);
}
