//! Explicit occlusion training (paper, section on occlusion): keypoints are hidden from minor to severe.
//!
//! Point, limb, half body, image area, whole image and runs of images, and the joints that a detector's
//! layout does not have. A share of what is hidden is not masked but reported wrongly with a fair score, as
//! real detectors do behind an obstacle.

use nalgebra::Vector2;
use rand::{Rng, RngExt};
use stridepose::skeleton::{JOINT_COUNT, Joint, KeypointLayout};
use stridepose::stages::window::{self, KeypointOnPlane, KeypointsOnPlane};

const LIMBS: [&[Joint]; 6] = [
    &[Joint::RKnee, Joint::RAnkle],
    &[Joint::LKnee, Joint::LAnkle],
    &[Joint::RElbow, Joint::RWrist],
    &[Joint::LElbow, Joint::LWrist],
    &[Joint::RHip, Joint::RKnee, Joint::RAnkle, Joint::LHip, Joint::LKnee, Joint::LAnkle],
    &[Joint::Nose, Joint::Head],
];
const LOWER_BODY: &[Joint] =
    &[Joint::Pelvis, Joint::RHip, Joint::RKnee, Joint::RAnkle, Joint::LHip, Joint::LKnee, Joint::LAnkle];
const RIGHT_SIDE: &[Joint] =
    &[Joint::RHip, Joint::RKnee, Joint::RAnkle, Joint::RShoulder, Joint::RElbow, Joint::RWrist];
const LEFT_SIDE: &[Joint] = &[Joint::LHip, Joint::LKnee, Joint::LAnkle, Joint::LShoulder, Joint::LElbow, Joint::LWrist];
const CONFIDENT_ERROR_SHARE: f64 = 0.1;

/// Hides the joints that `layout` does not have.
pub fn mask_layout(rows: &mut [KeypointsOnPlane], layout: KeypointLayout) {
    for row in rows {
        for joint in Joint::ALL.into_iter().filter(|&joint| !layout.has(joint)) {
            row[joint.index()] = None;
        }
    }
}

/// Hides each keypoint on its own with `probability`.
pub fn mask_points(rows: &mut [KeypointsOnPlane], probability: f64, rng: &mut impl Rng) {
    for keypoint in rows.iter_mut().flatten() {
        if rng.random_bool(probability) {
            *keypoint = None;
        }
    }
}

/// Hides every keypoint of `run`.
pub fn mask_run(rows: &mut [KeypointsOnPlane], run: std::ops::Range<usize>) {
    for row in rows.get_mut(run).into_iter().flatten() {
        *row = [None; JOINT_COUNT];
    }
}

/// Draws occlusions for one clip. `severity` in [0, 1] ramps up over training.
pub fn occlude(rows: &mut [KeypointsOnPlane], severity: f64, rng: &mut impl Rng) {
    if rng.random_bool(0.5) {
        let probability = rng.random_range(0.0..0.5) * severity;
        mask_points(rows, probability, rng);
    }
    if rng.random_bool(0.1) {
        mask_points(rows, rng.random_range(0.2..0.7) * severity, rng);
    }
    for _ in 0..rng.random_range(0..=2) {
        let run = draw_run(rows.len(), 60.0 * severity, rng);
        let limb = LIMBS[rng.random_range(0..LIMBS.len())];
        hide(rows, run, limb, rng);
    }
    if rng.random_bool(0.25 * severity) {
        let run = draw_run(rows.len(), 120.0, rng);
        let part = [LOWER_BODY, RIGHT_SIDE, LEFT_SIDE][rng.random_range(0..3)];
        hide(rows, run, part, rng);
    }
    if rng.random_bool(0.3 * severity) {
        hide_area(rows, rng);
    }
    if rng.random_bool(0.4 * severity) {
        let run = draw_run(rows.len(), 40.0 * severity, rng);
        mask_run(rows, run);
    }
}

fn draw_run(rows: usize, longest: f64, rng: &mut impl Rng) -> std::ops::Range<usize> {
    let length = 1 + (rng.random::<f64>() * longest) as usize;
    let start = rng.random_range(0..rows);
    start..(start + length).min(rows)
}

fn hide(rows: &mut [KeypointsOnPlane], run: std::ops::Range<usize>, joints: &[Joint], rng: &mut impl Rng) {
    let wrong = rng.random_bool(CONFIDENT_ERROR_SHARE);
    for row in &mut rows[run] {
        let size = window::extent(row).clamp(0.0, 10.0);
        for joint in joints {
            let keypoint = &mut row[joint.index()];
            *keypoint = if wrong { keypoint.map(|keypoint| misplaced(keypoint, size, rng)) } else { None };
        }
    }
}

fn misplaced(keypoint: KeypointOnPlane, size: f64, rng: &mut impl Rng) -> KeypointOnPlane {
    let by = Vector2::new(rng.random_range(-0.3..0.3), rng.random_range(-0.3..0.3)) * size;
    KeypointOnPlane { point: keypoint.point + by, score: rng.random_range(0.2..0.8), spread: keypoint.spread }
}

/// Hides whatever lies in a half plane or a strip fixed in the image, as behind a pillar or a table.
fn hide_area(rows: &mut [KeypointsOnPlane], rng: &mut impl Rng) {
    let Some(anchor) = rows[rows.len() / 2].iter().flatten().next().map(|keypoint| keypoint.point) else { return };
    let size = window::extent(&rows[rows.len() / 2]).clamp(0.0, 10.0);
    let angle = rng.random_range(0.0..std::f64::consts::TAU);
    let normal = Vector2::new(angle.cos(), angle.sin());
    let start = normal.dot(&anchor.coords) + rng.random_range(-0.5..0.5) * size;
    let width = if rng.random_bool(0.5) { f64::INFINITY } else { rng.random_range(0.1..0.5) * size };
    for keypoint in rows.iter_mut().flatten() {
        let hidden = keypoint.is_some_and(|keypoint| {
            let along = normal.dot(&keypoint.point.coords) - start;
            (0.0..width).contains(&along)
        });
        if hidden {
            *keypoint = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Point2;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn seen(rows: usize) -> Vec<KeypointsOnPlane> {
        let row = std::array::from_fn(|joint| {
            let joint = joint as f64;
            Some(KeypointOnPlane { point: Point2::new(0.02 * joint, 0.3 - 0.03 * joint), score: 1.0, spread: None })
        });
        vec![row; rows]
    }

    #[test]
    fn layouts_hide_what_they_lack() {
        let mut rows = seen(3);
        mask_layout(&mut rows, KeypointLayout::Coco17);
        assert!(rows.iter().all(|row| row.iter().flatten().count() == 13));
    }

    #[test]
    fn severity_hides_more() {
        let hidden = |severity: f64| {
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            (0..300)
                .map(|_| {
                    let mut rows = seen(60);
                    occlude(&mut rows, severity, &mut rng);
                    rows.iter().flatten().filter(|keypoint| keypoint.is_none()).count()
                })
                .sum::<usize>()
        };
        let (minor, severe) = (hidden(0.2), hidden(1.0));
        assert!(minor > 0 && severe > 2 * minor, "{minor} at 0.2, {severe} at 1.0");
    }
}
