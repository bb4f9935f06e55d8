//! Batches drawn while those before are learnt: a GPU never waits for the CPU to draw, and the cores do not idle while one of them
//! takes a step of the optimiser.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use crate::workers::Workers;

/// Batches of one step after the other.
pub(crate) struct Ahead<'scope, B> {
    /// Each thread draws every so many steps, and waits with a batch until it is wanted.
    threads: Vec<(Receiver<B>, Option<ScopedJoinHandle<'scope, ()>>)>,
    next: usize,
}

impl<'scope, B: Send + 'scope> Ahead<'scope, B> {
    /// Threads of `scope`, one for each of `workers`, draw the batch of step `first` and those after it until this is dropped.
    pub(crate) fn new<'env>(
        scope: &'scope Scope<'scope, 'env>,
        workers: &'env Workers,
        first: u64,
        draw: &'env (impl Fn(u64) -> B + Sync),
    ) -> Self {
        let count = workers.count();
        let threads = workers.pools().zip(first..).map(|(pool, first)| {
            let (send, drawn) = sync_channel(0);
            let work = move || {
                let batches = (first..).step_by(count).map(draw);
                // Nobody wants more batches.
                let _ = batches.map(|batch| send.send(batch)).find(Result::is_err);
            };
            (drawn, Some(scope.spawn(|| pool.install(work))))
        });
        Self { threads: threads.collect(), next: 0 }
    }

    /// The batch of the next step.
    ///
    /// # Errors
    /// When the thread that draws it panicked.
    pub(crate) fn next(&mut self) -> anyhow::Result<B> {
        let count = self.threads.len();
        let (drawn, thread) = &mut self.threads[self.next];
        self.next = (self.next + 1) % count;
        drawn.recv().map_err(|_| {
            // Whoever joins a thread takes its panic.
            let ended = thread.take().map(ScopedJoinHandle::join);
            debug_assert!(ended.is_none_or(|ended| ended.is_err()), "it draws until nobody wants more");
            anyhow::anyhow!("a thread that draws what is learnt ended")
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn batches_come_in_the_order_of_the_steps_whoever_is_faster() {
        for count in [1, 2, 3] {
            let workers = Workers::apart(count).unwrap();
            let draw = |step: u64| {
                std::thread::sleep(std::time::Duration::from_millis(step % 3));
                step
            };
            let found: Vec<u64> = std::thread::scope(|scope| {
                let mut ahead = Ahead::new(scope, &workers, 7, &draw);
                (0..20).map(|_| ahead.next().unwrap()).collect()
            });
            assert_eq!(found, (7..27).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_thread_that_panics_is_an_error() {
        let workers = Workers::apart(2).unwrap();
        let draw = |step: u64| assert_ne!(step, 3);
        let found: Vec<bool> = std::thread::scope(|scope| {
            let mut ahead = Ahead::new(scope, &workers, 0, &draw);
            (0..4).map(|_| ahead.next().is_ok()).collect()
        });
        assert_eq!(found, [true, true, true, false]);
    }
}
