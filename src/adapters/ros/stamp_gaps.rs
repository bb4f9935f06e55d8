//! Messages that never arrived, told from the stamps of those that did: a middleware that drops a message from its
//! queue, or off the wire, says nothing.
//!
//! A gap of about n usual intervals means n - 1 messages that are missing, whether the camera never took them or the
//! way here lost them. The usual interval is the median of the last fifteen.

use std::collections::VecDeque;

use crate::data::Stamp;

/// Intervals that the usual one is the median of.
const INTERVALS: usize = 15;
/// Before this many intervals nothing is called usual.
const FEWEST_INTERVALS: usize = 5;
/// After a pause longer than this the camera was stopped; nothing is missing.
const LONGEST_GAP_SECS: f64 = 2.0;

/// Counts gaps.
#[derive(Clone, Debug, Default)]
pub struct StampGaps {
    last: Option<Stamp>,
    intervals: VecDeque<f64>,
    missing: u64,
}

impl StampGaps {
    /// Takes in the stamp of the next message.
    pub fn arrived(&mut self, stamp: Stamp) {
        let Some(last) = self.last.replace(stamp) else { return };
        let interval = stamp.seconds_since(last);
        if !(0.0..=LONGEST_GAP_SECS).contains(&interval) {
            // Another recording, a time jump, a camera that was stopped: what was usual is no longer.
            self.intervals.clear();
            return;
        }
        if let Some(usual) = self.usual_interval() {
            self.missing += ((interval / usual).round() as u64).saturating_sub(1);
        }
        self.intervals.truncate(INTERVALS - 1);
        self.intervals.push_front(interval);
    }

    /// Messages missing so far.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    fn usual_interval(&self) -> Option<f64> {
        if self.intervals.len() < FEWEST_INTERVALS {
            return None;
        }
        let mut sorted: Vec<f64> = self.intervals.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        Some(sorted[sorted.len() / 2]).filter(|&usual| usual > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Missing messages after those with these numbers, taken at 30 Hz.
    fn missing(numbers: impl IntoIterator<Item = i64>) -> u64 {
        let mut gaps = StampGaps::default();
        numbers.into_iter().for_each(|number| gaps.arrived(Stamp::from_nanoseconds(number * 33_333_333)));
        gaps.missing()
    }

    #[test]
    fn every_number_left_out_is_missing() {
        assert_eq!(missing(0..300), 0);
        assert_eq!(missing((0..300).filter(|number| *number != 77)), 1);
        assert_eq!(missing((0..300).filter(|number| !(100..110).contains(number) && *number != 200)), 11);
    }

    #[test]
    fn jitter_of_a_third_is_no_gap() {
        let mut gaps = StampGaps::default();
        for number in 0..300_i64 {
            gaps.arrived(Stamp::from_nanoseconds(number * 33_333_333 + (number * 7 % 5 - 2) * 2_500_000));
        }
        assert_eq!(gaps.missing(), 0);
    }

    #[test]
    fn a_camera_that_stops_or_starts_anew_misses_nothing() {
        assert_eq!(missing((0..60).chain(600..660)), 0, "stopped for 18 s");
        assert_eq!(missing((0..60).chain(0..60)), 0, "a bag played in a loop");
        assert_eq!(missing((0..60).map(|number| number / 2)), 0, "each stamp twice");
    }

    #[test]
    fn another_rate_becomes_the_usual_one() {
        let at_half_rate = missing((0..60).chain((60..600).step_by(2)));
        assert!(at_half_rate < 10, "{at_half_rate}");
    }
}
