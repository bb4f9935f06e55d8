//! Pictures shown more than once: drawing one costs as much as learning from it (data echoing, Choi et al. 2019,
//! arXiv 1907.05550). Each time other people of it are cut out in another way and in other colours.

use std::sync::{Arc, Mutex, PoisonError};

use crate::labelled_picture::{LabelledPicture, PictureSource};

/// The pictures of `source`, each about `times` times, mixed over the last `kept` ones. The picture of a seed depends on what
/// was drawn before.
pub struct Echo<S> {
    source: S,
    times: u32,
    kept: Vec<Mutex<Option<Arc<LabelledPicture>>>>,
}

impl<S> Echo<S> {
    /// At least one picture is kept, and each is shown at least once.
    pub fn new(source: S, times: u32, kept: usize) -> Self {
        Self { source, times: times.max(1), kept: (0..kept.max(1)).map(|_| Mutex::default()).collect() }
    }
}

impl<S: PictureSource> PictureSource for Echo<S> {
    fn draw(&self, seed: u64) -> Arc<LabelledPicture> {
        let place = &self.kept[(seed >> 32) as usize % self.kept.len()];
        let old = place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match old {
            Some(picture) if !(seed as u32).is_multiple_of(self.times) => picture,
            _ => {
                let picture = self.source.draw(seed);
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(picture.clone());
                picture
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labelled_picture::Waver;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Counted(AtomicUsize);

    impl PictureSource for Counted {
        fn draw(&self, seed: u64) -> Arc<LabelledPicture> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Waver.draw(seed)
        }
    }

    #[test]
    fn a_picture_is_drawn_once_and_shown_as_often_as_wanted() {
        for times in [1, 4] {
            let echo = Echo::new(Counted(AtomicUsize::new(0)), times, 8);
            let mut rng = ChaCha8Rng::seed_from_u64(2);
            (0..4000).for_each(|_| drop(echo.draw(rng.next_u64())));
            let drawn = echo.source.0.load(Ordering::Relaxed) as f64;
            assert!((drawn - 4000.0 / f64::from(times)).abs() < 100.0, "{drawn} of 4000 at {times} times");
        }
    }
}
