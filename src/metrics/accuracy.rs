//! Summaries of error samples: mean, share of correct keypoints (PCK), area under the PCK curve (AUC).
//!
//! 3DPCK and its AUC follow Mehta et al., "Monocular 3D human pose estimation in the wild using improved CNN
//! supervision", 3DV 2017, with the thresholds of the evaluation script of its data set MPI-INF-3DHP, 0, 5, … 150 mm,
//! and "below the threshold" as mmpose's `keypoint_3d_pck` and `keypoint_3d_auc` have it. Both are shares in [0, 1].

/// Threshold of PCK in mm.
pub const PCK_THRESHOLD_MM: f64 = 150.0;

/// Thresholds of AUC: 0, 5, … 150 mm.
pub const AUC_THRESHOLD_COUNT: u32 = 31;

/// Mean of the samples; `None` without any.
pub fn mean(samples: &[f64]) -> Option<f64> {
    (!samples.is_empty()).then(|| samples.iter().sum::<f64>() / samples.len() as f64)
}

/// Share of samples below `threshold`.
pub fn pck(errors_mm: &[f64], threshold_mm: f64) -> Option<f64> {
    let correct = errors_mm.iter().filter(|&&error| error < threshold_mm).count();
    (!errors_mm.is_empty()).then(|| correct as f64 / errors_mm.len() as f64)
}

/// Mean of [`pck`] over the thresholds 0, 5, … 150 mm.
pub fn auc(errors_mm: &[f64]) -> Option<f64> {
    let step_mm = PCK_THRESHOLD_MM / f64::from(AUC_THRESHOLD_COUNT - 1);
    let shares: Option<Vec<f64>> =
        (0..AUC_THRESHOLD_COUNT).map(|index| pck(errors_mm, f64::from(index) * step_mm)).collect();
    mean(&shares?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_thresholds_are_met_exactly() {
        // Below 5, …, 150: 30 of the 31 thresholds; nothing is below 0.
        assert!((auc(&[0.0]).unwrap() - 30.0 / 31.0).abs() < 1e-12);
        // 150 is not below 150.
        assert_eq!((pck(&[150.0], PCK_THRESHOLD_MM), auc(&[150.0])), (Some(0.0), Some(0.0)));
        assert_eq!(pck(&[149.9, 151.0], PCK_THRESHOLD_MM), Some(0.5));
        assert_eq!((mean(&[]), pck(&[], 1.0), auc(&[])), (None, None, None));
    }

    proptest! {
        #[test]
        fn auc_is_no_higher_than_pck(errors in prop::collection::vec(0.0..300.0_f64, 1..50)) {
            prop_assert!(auc(&errors).unwrap() <= pck(&errors, PCK_THRESHOLD_MM).unwrap() + 1e-12);
        }
    }
}
