//! Calibration on the validation persons: from the Laplace scale that the network states to a standard
//! deviation whose 90 % ellipsoid holds the truth 90 % of the time.
//!
//! One factor laterally and one in depth for each head: the 90 % quantile of |error| / stated scale over that of
//! a unit normal, then both times what the ellipsoid of both together needs, for errors along the axes come together more
//! often than those of a normal. [`Coverage`] then counts how many joints the 50, 80, 90 and 95 % ellipsoids hold.

use anyhow::Context;
use serde::Serialize;
use stridepose::skeleton::{JOINT_COUNT, Joint, KeypointLayout};

use crate::network::{LOOKAHEADS, TemporalNetwork};
use crate::noise::NoiseSettings;
use crate::validate::{Condition, Hidden, Validation};

/// 90 % of a unit normal lie within this distance of zero.
const NORMAL_90: f64 = 1.644_85;
/// Squared radius of the 50, 80, 90 and 95 % ellipsoid of a 3D normal (χ² with three degrees of freedom).
const CHI_SQUARED_3: [(u32, f64); 4] = [(50, 2.366), (80, 4.642), (90, CHI_SQUARED_3_90), (95, 7.815)];
const CHI_SQUARED_3_90: f64 = 6.251;

/// What is seen while the scale is calibrated, and by whom: a third of it by detectors unlike the measured one, as those of
/// users are.
const CONDITIONS: [(KeypointLayout, f64, NoiseSettings); 6] = [
    (KeypointLayout::H36m17, 0.0, NoiseSettings::MEASURED),
    (KeypointLayout::Coco17, 0.0, NoiseSettings::MEASURED),
    (KeypointLayout::Coco17, 0.2, NoiseSettings::MEASURED),
    (KeypointLayout::H36m17, 0.4, NoiseSettings::MEASURED),
    (KeypointLayout::Coco17, 0.0, NoiseSettings::OTHERS),
    (KeypointLayout::Coco17, 0.2, NoiseSettings::OTHERS),
];

/// Share of the joints within the ellipsoid of a stated share, in %.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// Stated share, %.
    pub stated: u32,
    /// Share found, %.
    pub found: f64,
}

/// The result for one head.
#[derive(Clone, Debug, Serialize)]
pub struct HeadCalibration {
    /// Samples ago that the head answers for.
    pub lookahead: usize,
    /// Standard deviation per stated scale, lateral.
    pub lateral: f64,
    /// Standard deviation per stated scale, depth.
    pub depth: f64,
    /// How many joints the ellipsoids hold with these factors.
    pub coverage: Vec<Coverage>,
}

/// Every head's, as if what is stated were the deviation.
#[cfg(test)]
pub(crate) fn unit() -> Vec<HeadCalibration> {
    let head = |lookahead| HeadCalibration { lookahead, lateral: 1.0, depth: 1.0, coverage: Vec::new() };
    LOOKAHEADS.into_iter().map(head).collect()
}

#[derive(Default)]
struct Ratios {
    lateral: Vec<f32>,
    depth: Vec<f32>,
    joint: Vec<[f32; 3]>,
}

/// Calibrates every head.
///
/// # Errors
/// When there is no validation person to calibrate on, or an answer is not finite.
pub fn calibrate<N: TemporalNetwork>(validation: &Validation<'_, N>) -> anyhow::Result<Vec<HeadCalibration>> {
    let mut heads: Vec<Ratios> = LOOKAHEADS.iter().map(|_| Ratios::default()).collect();
    for (layout, share, detector) in CONDITIONS {
        let condition = Condition { layout, detector, ..Condition::hiding(Hidden::Share(share)) };
        validation.answer(
            |_| true,
            &condition,
            |scored| {
                let head = &mut heads[scored.head];
                for joint in (0..JOINT_COUNT).filter(|&joint| joint != Joint::Pelvis.index()) {
                    let error = scored.answer[joint] - scored.truth[joint];
                    let (lateral, depth) = scored.scale[joint];
                    let ratio = [error.x / lateral, error.y / lateral, error.z / depth].map(|ratio| ratio.abs() as f32);
                    head.lateral.extend(&ratio[..2]);
                    head.depth.push(ratio[2]);
                    head.joint.push(ratio);
                }
            },
        );
    }
    LOOKAHEADS.into_iter().zip(heads).map(|(lookahead, ratios)| head_calibration(lookahead, ratios)).collect()
}

fn head_calibration(lookahead: usize, mut ratios: Ratios) -> anyhow::Result<HeadCalibration> {
    let lateral = quantile_90(&mut ratios.lateral)? / NORMAL_90;
    let depth = quantile_90(&mut ratios.depth)? / NORMAL_90;
    let mut distances: Vec<f32> = ratios
        .joint
        .iter()
        .map(|[x, y, z]| (x / lateral as f32).hypot(y / lateral as f32).hypot(z / depth as f32))
        .collect();
    let together = quantile_90(&mut distances)? / CHI_SQUARED_3_90.sqrt();
    let coverage = CHI_SQUARED_3
        .into_iter()
        .map(|(stated, limit)| {
            let limit = limit.sqrt() * together;
            let inside = distances.iter().filter(|&&distance| f64::from(distance) <= limit).count();
            Coverage { stated, found: 100.0 * inside as f64 / distances.len() as f64 }
        })
        .collect();
    Ok(HeadCalibration { lookahead, lateral: lateral * together, depth: depth * together, coverage })
}

/// Refuses no values, and such as are not finite.
fn quantile_90(values: &mut [f32]) -> anyhow::Result<f64> {
    let last = values.len().checked_sub(1).context(
        "the uncertainty cannot be calibrated: no scene of a validation person was measured; give motion capture of split val",
    )?;
    let broken = values.iter().filter(|value| !value.is_finite()).count();
    anyhow::ensure!(
        broken == 0,
        "the uncertainty cannot be calibrated: {broken} of {} errors on the validation persons are not finite",
        values.len()
    );
    let (_, value, _) = values.select_nth_unstable_by(last * 9 / 10, f32::total_cmp);
    Ok(f64::from(*value).max(1e-3))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    /// Errors over their stated scales; `severity` makes all of a joint's larger or smaller.
    fn ratios(severity: impl Fn(usize) -> f32) -> Ratios {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut ratios = Ratios::default();
        for index in 0..40_000 {
            let mut draw = |sigma: f32| severity(index) * sigma * rng.sample::<f32, _>(StandardNormal).abs();
            let ratio = [draw(1.5), draw(1.5), draw(0.7)];
            ratios.lateral.extend(&ratio[..2]);
            ratios.depth.push(ratio[2]);
            ratios.joint.push(ratio);
        }
        ratios
    }

    #[test]
    fn errors_that_come_together_are_held_by_the_ellipsoid_as_often_as_stated() {
        let calibration = head_calibration(0, ratios(|index| if index % 8 == 0 { 3.0 } else { 0.7 })).unwrap();
        let of =
            |stated| calibration.coverage.iter().find(|coverage| coverage.stated == stated).map_or(0.0, |c| c.found);
        assert!((of(90) - 90.0).abs() < 0.1, "{calibration:?}");
        assert!(of(50) > 55.0, "one in eight is bad, the others are better than stated: {calibration:?}");
    }

    #[test]
    fn nothing_and_what_is_no_number_calibrate_nothing() {
        let nothing = head_calibration(0, Ratios::default()).unwrap_err().to_string();
        assert!(nothing.contains("no scene of a validation person"), "{nothing}");
        let mut broken = ratios(|_| 1.0);
        broken.depth[7] = f32::NAN;
        let broken = head_calibration(0, broken).unwrap_err().to_string();
        assert!(broken.contains("1 of 40000 errors"), "{broken}");
    }

    #[test]
    fn normal_errors_get_their_own_deviation_and_the_stated_coverage() {
        let calibration = head_calibration(0, ratios(|_| 1.0)).unwrap();
        assert!((calibration.lateral - 1.5).abs() < 0.03 && (calibration.depth - 0.7).abs() < 0.02);
        for coverage in calibration.coverage {
            assert!((coverage.found - f64::from(coverage.stated)).abs() < 1.0, "{coverage:?}");
        }
    }
}
