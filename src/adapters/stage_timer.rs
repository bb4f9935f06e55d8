//! Measures how long each stage takes, and how much of that was not decoding and not networks. The clock of the
//! pipeline's observer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::pipeline::{Stage, StageObserver};

/// Time spent inside the engine by all networks of a pipeline; clones share it.
#[derive(Clone, Debug, Default)]
pub struct NetworkTime(Arc<AtomicU64>);

impl NetworkTime {
    /// Adds one run.
    pub fn add(&self, run: Duration) {
        self.0.fetch_add(run.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Now, to be told apart from later.
    pub fn now(&self) -> Moment {
        Moment { at: Instant::now(), in_networks: self.total() }
    }

    /// The time since `moment`, and how much of it was not in networks.
    pub fn since(&self, moment: Moment) -> (Duration, Duration) {
        let elapsed = moment.at.elapsed();
        (elapsed, elapsed.saturating_sub(self.total().saturating_sub(moment.in_networks)))
    }

    fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// A moment, and the time that the networks had taken until then.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    at: Instant,
    in_networks: Duration,
}

/// Times of every stage, ms.
#[derive(Clone, Debug, Default)]
pub struct StageTimer {
    network_time: NetworkTime,
    began: Option<(Stage, Moment)>,
    times_ms: BTreeMap<Stage, Vec<f32>>,
    own_ms: Vec<f32>,
    own_of_this_image: Duration,
    /// What was done ahead for this image: of which stage, how long it took, how much of that was its own.
    ahead: Option<(Stage, Duration, Duration)>,
}

/// Percentiles of one stage, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Percentiles {
    /// Runs of the stage.
    pub count: usize,
    /// Half are shorter.
    pub p50: f32,
    /// 95 % are shorter.
    pub p95: f32,
    /// 99 % are shorter.
    pub p99: f32,
}

impl StageObserver for StageTimer {
    fn begin(&mut self, stage: Stage) {
        self.began = Some((stage, self.network_time.now()));
    }

    fn end(&mut self, stage: Stage) {
        let Some((began, moment)) = self.began.take().filter(|(began, _)| *began == stage) else { return };
        let (elapsed, own) = self.network_time.since(moment);
        self.add(began, elapsed);
        if stage != Stage::Decode {
            self.own_of_this_image += own;
        }
    }

    fn use_ahead(&mut self, stage: Stage) {
        if let Some((_, elapsed, own)) = self.ahead.take_if(|(ahead, ..)| *ahead == stage) {
            self.add(stage, elapsed);
            self.own_of_this_image += own;
        }
    }
}

impl StageTimer {
    /// A timer for a pipeline whose networks add to `network_time`.
    pub fn new(network_time: NetworkTime) -> Self {
        Self { network_time, ..Self::default() }
    }

    /// A timer for the same networks that has measured nothing yet.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self::new(self.network_time.clone())
    }

    /// Takes in what another timer measured.
    pub fn absorb(&mut self, other: Self) {
        for (stage, times) in other.times_ms {
            self.times_ms.entry(stage).or_default().extend(times);
        }
        self.own_ms.extend(other.own_ms);
    }

    /// Takes in a run of `stage` that was measured elsewhere; it counts as no time of the image's own.
    pub fn add(&mut self, stage: Stage, elapsed: Duration) {
        self.times_ms.entry(stage).or_default().push(1e3 * elapsed.as_secs_f32());
    }

    /// A run of `stage` for the next image that was measured elsewhere, and how much of it was neither decoding nor networks: it
    /// counts if the pipeline uses it.
    pub const fn offer(&mut self, stage: Stage, elapsed: Duration, own: Duration) {
        self.ahead = Some((stage, elapsed, own));
    }

    /// The pipeline is done with an image.
    pub fn end_image(&mut self) {
        self.own_ms.push(1e3 * std::mem::take(&mut self.own_of_this_image).as_secs_f32());
        self.ahead = None;
    }

    /// Percentiles of each stage that ran.
    pub fn percentiles(&self) -> BTreeMap<&'static str, Percentiles> {
        self.times_ms.iter().map(|(stage, times)| (stage.name(), percentiles(times))).collect()
    }

    /// Percentiles of the time of one image that is neither decoding nor networks.
    pub fn own(&self) -> Percentiles {
        percentiles(&self.own_ms)
    }
}

fn percentiles(times: &[f32]) -> Percentiles {
    let mut sorted = times.to_vec();
    sorted.sort_by(f32::total_cmp);
    let at = |share: f64| {
        let index = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(index.saturating_sub(1)).copied().unwrap_or(0.0)
    };
    Percentiles { count: sorted.len(), p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let times: Vec<f32> = (1..=200).map(|value| value as f32).collect();
        let found = percentiles(&times);
        assert_eq!((found.count, found.p50, found.p95, found.p99), (200, 100.0, 190.0, 198.0));
    }

    #[test]
    fn own_time_is_neither_decoding_nor_networks() {
        let networks = NetworkTime::default();
        let mut timer = StageTimer::new(networks.clone());
        let nap = Duration::from_millis(30);
        timer.begin(Stage::Decode);
        std::thread::sleep(nap);
        timer.end(Stage::Decode);
        timer.begin(Stage::Keypoints);
        std::thread::sleep(nap);
        networks.add(nap);
        timer.end(Stage::Keypoints);
        timer.begin(Stage::Track);
        std::thread::sleep(nap);
        timer.end(Stage::Track);
        timer.end_image();
        // A busy machine sleeps longer, never shorter.
        let (own, all) = (timer.own(), timer.percentiles());
        let stages = all["keypoints"].p50 + all["track"].p50;
        assert_eq!(own.count, 1);
        assert!(own.p50 >= 30.0 && (own.p50 - (stages - 30.0)).abs() < 0.1, "{} of {stages} ms", own.p50);
    }

    #[test]
    fn what_was_done_ahead_counts_where_it_is_used() {
        let mut timer = StageTimer::default();
        let [took, own] = [30, 10].map(Duration::from_millis);
        for is_used in [false, true] {
            timer.offer(Stage::Detect, took, own);
            if is_used {
                timer.use_ahead(Stage::Keypoints);
                timer.use_ahead(Stage::Detect);
                timer.use_ahead(Stage::Detect);
            }
            timer.end_image();
        }
        timer.use_ahead(Stage::Detect);
        assert_eq!(timer.percentiles()["detect"], Percentiles { count: 1, p50: 30.0, p95: 30.0, p99: 30.0 });
        assert_eq!(timer.own().count, 2);
        assert!((timer.own().p99 - 10.0).abs() < 1e-3 && timer.own().p50.abs() < 1e-6);
    }
}
