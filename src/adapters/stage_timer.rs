//! Measures how long each stage takes. The clock of the pipeline's observer.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::pipeline::{Stage, StageObserver};

/// Times of every stage, ms.
#[derive(Clone, Debug, Default)]
pub struct StageTimer {
    began: Option<(Stage, Instant)>,
    times_ms: BTreeMap<Stage, Vec<f32>>,
}

/// Percentiles of one stage, ms.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
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
        self.began = Some((stage, Instant::now()));
    }

    fn end(&mut self, stage: Stage) {
        if let Some((began, at)) = self.began.take().filter(|(began, _)| *began == stage) {
            self.times_ms.entry(began).or_default().push(1e3 * at.elapsed().as_secs_f32());
        }
    }
}

impl StageTimer {
    /// Percentiles of each stage that ran.
    pub fn percentiles(&self) -> BTreeMap<&'static str, Percentiles> {
        self.times_ms.iter().map(|(stage, times)| (stage.name(), percentiles(times))).collect()
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
}
