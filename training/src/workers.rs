//! Threads that work on the parts of a batch at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads, each of which does the arithmetic of its part alone.
pub(crate) struct Workers(Vec<rayon::ThreadPool>);

impl Workers {
    /// `count` threads; one for each core for 0.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn new(count: usize) -> anyhow::Result<Self> {
        let count = if count == 0 { std::thread::available_parallelism()?.get() } else { count };
        let one_thread = || rayon::ThreadPoolBuilder::new().num_threads(1).build();
        Ok(Self((0..count).map(|_| one_thread()).collect::<Result<_, _>>()?))
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// What `work` makes of each of the parts, in their order, whoever did which.
    ///
    /// # Errors
    /// When a thread panics.
    pub(crate) fn map<P: Sync, R: Send>(&self, parts: &[P], work: impl Fn(&P) -> R + Sync) -> anyhow::Result<Vec<R>> {
        let next = AtomicUsize::new(0);
        let take = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(part) = parts.get(index) else { return done };
                done.push((index, work(part)));
            }
        };
        let mut done = std::thread::scope(|scope| {
            let threads: Vec<_> = self.0.iter().map(|pool| scope.spawn(|| pool.install(take))).collect();
            let mut done = Vec::with_capacity(parts.len());
            for thread in threads {
                done.extend(thread.join().map_err(|_| anyhow::anyhow!("a worker ended"))?);
            }
            anyhow::Ok(done)
        })?;
        done.sort_by_key(|(index, _)| *index);
        Ok(done.into_iter().map(|(_, result)| result).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_parts() {
        let parts: Vec<u64> = (0..20).collect();
        for count in [0, 1, 3] {
            let workers = Workers::new(count).unwrap();
            assert!(workers.count() >= 1 && (count == 0 || workers.count() == count));
            let squares = workers.map(&parts, |part| {
                std::thread::sleep(std::time::Duration::from_millis(part % 3));
                part * part
            });
            assert_eq!(squares.unwrap(), parts.iter().map(|part| part * part).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_worker_that_panics_is_an_error() {
        let workers = Workers::new(2).unwrap();
        assert!(workers.map(&[1, 0], |part| assert_ne!(*part, 0)).is_err());
    }
}
