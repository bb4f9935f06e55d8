//! When the detector looks at the image turned.

use crate::data::Turn;

/// The detector looks for people who lie no more often than once in so many images.
const SHORTEST_INTERVAL: u32 = 6;
/// So many images later at most, it does so on an image that it looks at as it is as well.
const LATEST: u32 = 3;

/// When the detector looks for people who lie, by turns on either side.
#[derive(Clone, Debug, Default)]
pub(super) struct LyingRuns {
    images_to_next: Option<u32>,
    /// Since it was due.
    images_late: u32,
    is_left_next: bool,
}

impl LyingRuns {
    /// Which way the detector looks at this image for them; `is_busy` where it looks at it as it is.
    pub(super) fn next(&mut self, interval: u32, is_busy: bool) -> Option<Turn> {
        let interval = interval.max(SHORTEST_INTERVAL);
        let images_to_next = self.images_to_next.unwrap_or(interval / 2);
        self.images_to_next = Some(images_to_next.saturating_sub(1));
        if images_to_next > 0 || (is_busy && self.images_late < LATEST) {
            self.images_late += u32::from(images_to_next == 0);
            return None;
        }
        (self.images_to_next, self.images_late) = (Some(interval - 1 - self.images_late.min(interval - 1)), 0);
        let turn = if self.is_left_next { Turn::HeadLeft } else { Turn::HeadRight };
        self.is_left_next = !self.is_left_next;
        Some(turn)
    }
}
