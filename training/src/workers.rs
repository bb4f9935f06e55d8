//! Threads that work on a batch: each on parts of it, or all together on one.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Pools of threads, each of which takes part after part.
pub(crate) struct Workers(Vec<rayon::ThreadPool>);

impl Workers {
    /// `count` threads, each of which does the arithmetic of its part alone; one for each core for 0.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn apart(count: usize) -> anyhow::Result<Self> {
        (0..threads(count)?).map(|_| pool(1)).collect::<anyhow::Result<_>>().map(Self)
    }

    /// `count` threads that do the arithmetic of a part together; one for each core for 0.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn together(count: usize) -> anyhow::Result<Self> {
        Ok(Self(vec![pool(threads(count)?)?]))
    }

    /// How many parts are worked on at the same time.
    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// The pools.
    pub(crate) fn pools(&self) -> impl Iterator<Item = &rayon::ThreadPool> {
        self.0.iter()
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

fn threads(count: usize) -> anyhow::Result<usize> {
    Ok(if count == 0 { std::thread::available_parallelism()?.get() } else { count })
}

fn pool(threads: usize) -> anyhow::Result<rayon::ThreadPool> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(threads).build()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_parts() {
        let parts: Vec<u64> = (0..20).collect();
        let apart = [0, 1, 3].map(|count| (count, Workers::apart(count).unwrap()));
        for (count, workers) in &apart {
            assert!(workers.count() >= 1 && (*count == 0 || workers.count() == *count));
        }
        let together = Workers::together(3).unwrap();
        assert_eq!(together.count(), 1);
        for workers in apart.into_iter().map(|(_, workers)| workers).chain([together]) {
            let squares = workers.map(&parts, |part| {
                std::thread::sleep(std::time::Duration::from_millis(part % 3));
                part * part
            });
            assert_eq!(squares.unwrap(), parts.iter().map(|part| part * part).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_worker_that_panics_is_an_error() {
        let workers = Workers::apart(2).unwrap();
        assert!(workers.map(&[1, 0], |part| assert_ne!(*part, 0)).is_err());
    }
}
