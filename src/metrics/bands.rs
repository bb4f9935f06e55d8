//! Bands in which errors are told apart: how far away the person is, how much of the person is hidden.
//!
//! * *Distance*: of the true root from the camera, m. A band holds its lower end, not its upper one.
//! * *Hidden share*: of the joints that the run measures anywhere (a keypoint layout without, say, a spine never measures
//!   it, which says nothing about this image), the share that is not [`JointState::Measured`] in this image. A band
//!   holds its upper end, not its lower one; nothing hidden is a band of its own.

use crate::data::JointState;
use crate::metrics::evaluation::PersonSample;
use crate::skeleton::JointArray;

/// Upper ends of the distance bands, m, with the band's name.
pub const DISTANCE_BANDS: [(f64, &str); 5] =
    [(2.0, "0-2m"), (4.0, "2-4m"), (6.0, "4-6m"), (10.0, "6-10m"), (f64::INFINITY, "10m-")];

/// Upper ends of the bands of hidden shares, with the band's name.
pub const HIDDEN_BANDS: [(f64, &str); 5] =
    [(0.0, "0%"), (0.25, "0-25%"), (0.5, "25-50%"), (0.75, "50-75%"), (1.0, "75-100%")];

/// Which band of [`DISTANCE_BANDS`] the person is in; `None` without a true root.
pub fn distance_band(sample: &PersonSample) -> Option<usize> {
    let distance = sample.true_distance?;
    DISTANCE_BANDS.iter().position(|(end, _)| distance < *end)
}

/// Share of the measurable joints that are not measured; `None` where nothing is measurable.
pub fn hidden_share(sample: &PersonSample, is_measurable: &JointArray<bool>) -> Option<f64> {
    let states = || sample.state.iter().zip(is_measurable).filter(|(_, is_measurable)| **is_measurable);
    let count = states().count();
    let hidden = states().filter(|(state, _)| **state != JointState::Measured).count();
    (count > 0).then(|| hidden as f64 / count as f64)
}

/// Which band of [`HIDDEN_BANDS`] the person is in.
pub fn hidden_band(sample: &PersonSample, is_measurable: &JointArray<bool>) -> Option<usize> {
    let share = hidden_share(sample, is_measurable)?;
    HIDDEN_BANDS.iter().position(|(end, _)| share <= *end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Stamp, TrackId};
    use crate::metrics::PoseError;
    use crate::skeleton::JOINT_COUNT;

    fn sample(true_distance: Option<f64>, hidden: usize) -> PersonSample {
        let nothing = [None; JOINT_COUNT];
        PersonSample {
            image_index: 0,
            stamp: Stamp::default(),
            person: String::new(),
            action: None,
            track_id: TrackId(1),
            error: PoseError { mpjpe_mm: nothing, n_mpjpe_mm: nothing, pa_mpjpe_mm: nothing, root_mm: None },
            squared_mahalanobis: nothing,
            velocity_error_mm_per_s: nothing,
            acceleration_error_mm_per_s2: nothing,
            position_error_mm: nothing,
            keypoint_error_px: [None; JOINT_COUNT],
            confidence: nothing,
            state: std::array::from_fn(
                |joint| if joint < hidden { JointState::Inferred } else { JointState::Measured },
            ),
            true_distance,
        }
    }

    #[test]
    fn every_distance_has_its_band() {
        let band = |distance| distance_band(&sample(distance, 0)).map(|band| DISTANCE_BANDS[band].1);
        assert_eq!((band(Some(1.9)), band(Some(2.0)), band(Some(3.0))), (Some("0-2m"), Some("2-4m"), Some("2-4m")));
        assert_eq!((band(Some(10.0)), band(Some(1e9)), band(None)), (Some("10m-"), Some("10m-"), None));
    }

    #[test]
    fn a_joint_that_is_never_measured_is_not_hidden() {
        let mut is_measurable = [true; JOINT_COUNT];
        is_measurable[0] = false;
        let band = |hidden| hidden_band(&sample(None, hidden), &is_measurable).map(|band| HIDDEN_BANDS[band].1);
        assert_eq!((band(0), band(1), band(2)), (Some("0%"), Some("0%"), Some("0-25%")));
        // 4, 5 and 16 of 16.
        assert_eq!((band(5), band(6), band(17)), (Some("0-25%"), Some("25-50%"), Some("75-100%")));
        assert_eq!(hidden_share(&sample(None, 3), &[false; JOINT_COUNT]), None);
    }
}
