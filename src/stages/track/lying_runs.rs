//! When the detector looks at the image turned.

use crate::data::Turn;

/// The detector looks for people who lie no more often than once in so many images.
const SHORTEST_INTERVAL: i64 = 6;
/// So many images later at most, it does so on an image that it looks at as it is as well.
const LATEST: i64 = 3;

/// When the detector looks for people who lie, by turns on either side.
#[derive(Clone, Debug, Default)]
pub(super) struct LyingRuns {
    /// Negative where it is late; `None` before the first image.
    images_to_next: Option<i64>,
    is_left_next: bool,
}

impl LyingRuns {
    /// Which way the detector looks at this image for them; `is_busy` where it looks at it as it is.
    pub(super) fn next(&mut self, interval: u32, is_busy: bool) -> Option<Turn> {
        let interval = i64::from(interval).max(SHORTEST_INTERVAL);
        let images_to_next = self.images_to_next.unwrap_or(interval / 2);
        self.images_to_next = Some(images_to_next - 1);
        if images_to_next > 0 || (is_busy && images_to_next > -LATEST) {
            return None;
        }
        self.images_to_next = Some(images_to_next - 1 + interval);
        let turn = if self.is_left_next { Turn::HeadLeft } else { Turn::HeadRight };
        self.is_left_next = !self.is_left_next;
        Some(turn)
    }
}
