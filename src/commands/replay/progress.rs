//! How far a replay is, for people: images of one bag, or bags and the images of all workers, in one display.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use indicatif::ProgressBar;

use super::super::ConsoleArgs;

/// One display, moved on by every replay that it is given to.
pub struct Progress {
    bar: ProgressBar,
    unit: Unit,
}

enum Unit {
    Images,
    /// Bags, with the images of all of them since the start beside.
    Bags {
        images: AtomicU64,
        began: Instant,
    },
}

impl Progress {
    /// Of a single bag: its images.
    ///
    /// # Errors
    /// When the style is no template of `indicatif`.
    pub fn of_one(console: ConsoleArgs) -> anyhow::Result<Self> {
        let style = "{elapsed_precise} [{wide_bar}] {pos}/{len} images, {per_sec}, {eta} left";
        Ok(Self { bar: console.progress_bar(Some(0), style)?, unit: Unit::Images })
    }

    /// Of `count` bags: how many are done, the images of all workers, and how many of them a second.
    ///
    /// # Errors
    /// When the style is no template of `indicatif`.
    pub fn of_many(console: ConsoleArgs, count: usize) -> anyhow::Result<Self> {
        let style = "{elapsed_precise} [{wide_bar}] {pos}/{len} bags, {msg}{eta} left";
        let bar = console.progress_bar(Some(count as u64), style)?;
        Ok(Self { bar, unit: Unit::Bags { images: AtomicU64::new(0), began: Instant::now() } })
    }

    /// A bag of `count` images is begun.
    pub(super) fn begin_bag(&self, count: u64) {
        if matches!(self.unit, Unit::Images) {
            self.bar.set_length(count);
            self.bar.reset();
        }
    }

    /// An image is done.
    pub(super) fn image(&self) {
        match &self.unit {
            Unit::Images => self.bar.inc(1),
            Unit::Bags { images, began } => {
                let count = images.fetch_add(1, Ordering::Relaxed) + 1;
                self.bar.set_message(all_images(count, began.elapsed().as_secs_f64()));
            }
        }
    }

    /// The bag has no more images.
    pub(super) fn end_bag(&self) {
        if matches!(self.unit, Unit::Images) {
            self.bar.finish_and_clear();
        }
    }

    /// One of several bags is done, or failed, or was done before.
    pub fn bag_done(&self) {
        self.bar.inc(1);
    }

    /// All bags are done.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Says something while the display is out of the way.
    pub fn suspend(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }
}

fn all_images(count: u64, secs: f64) -> String {
    format!("{count} images, {:.1}/s, ", count as f64 / secs.max(1e-9))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const QUIET: ConsoleArgs = ConsoleArgs { quiet: true, verbose: 0 };

    #[test]
    fn the_images_of_all_workers_are_one_sum() {
        let progress = Progress::of_many(QUIET, 2).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    progress.begin_bag(50);
                    (0..50).for_each(|_| progress.image());
                    progress.end_bag();
                    progress.bag_done();
                });
            }
        });
        let Unit::Bags { images, .. } = &progress.unit else { panic!("bags") };
        assert_eq!((images.load(Ordering::Relaxed), progress.bar.position()), (100, 2));
        assert!(progress.bar.message().contains("images, "), "{}", progress.bar.message());
        assert_eq!(all_images(90, 2.0), "90 images, 45.0/s, ");
    }

    #[test]
    fn a_single_bag_counts_its_images() {
        let progress = Progress::of_one(QUIET).unwrap();
        progress.begin_bag(3);
        (0..3).for_each(|_| progress.image());
        assert_eq!((progress.bar.position(), progress.bar.length()), (3, Some(3)));
    }
}
