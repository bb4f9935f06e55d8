//! Several recordings at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What `work` makes of each item, in their order, `workers` of them at once; it is told the item's place.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], workers: usize, work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let finished = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let made = work(index, item);
                    finished.lock().unwrap_or_else(PoisonError::into_inner).push((index, made));
                }
            });
        }
    });
    let mut finished = finished.into_inner().unwrap_or_else(PoisonError::into_inner);
    finished.sort_by_key(|(index, _)| *index);
    finished.into_iter().map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_items_however_long_each_takes() {
        let items: Vec<u64> = (0..40).collect();
        let made = in_parallel(&items, 4, |index, &item| {
            std::thread::sleep(std::time::Duration::from_millis((item * 7) % 5));
            (index as u64, 10 * item)
        });
        assert_eq!(made, items.iter().map(|&item| (item, 10 * item)).collect::<Vec<_>>());
        assert!(in_parallel(&[0_u8; 0], 4, |_, _| ()).is_empty());
    }
}
