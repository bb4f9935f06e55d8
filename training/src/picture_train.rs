//! The training loop of the 2D networks. Its length is a time, not a number of steps: the schedule follows the clock, and a
//! run that is taken up again goes on where it was.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;

use crate::ahead::Ahead;
use crate::hardware::Hardware;
use crate::multi_scale::{MultiScaleNetwork, MultiScaleSize};
use crate::picture_log::PictureProgress;
use crate::picture_trainer::{PictureTask, PictureTrainer};

/// Share of the schedule over which the learning rate rises.
const WARM_UP: f64 = 0.02;
/// Where the learning rate ends, as a share of its peak.
const LAST_RATE: f64 = 0.01;

/// One run.
#[derive(Clone, Debug)]
pub struct PictureTrainSettings {
    /// Where checkpoints and the log go.
    pub folder: PathBuf,
    /// Sizes of the network.
    pub size: MultiScaleSize,
    /// Length of the whole schedule, s.
    pub secs: f64,
    /// Samples of a step.
    pub samples: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// What computes it; each thread takes the gradient of its share of the samples.
    pub hardware: Hardware,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Time between checkpoints, s.
    pub checkpoint_secs: f64,
}

/// Trains and returns the average of the weights. Resumes from the folder when it holds a checkpoint.
///
/// # Errors
/// When a file cannot be written, a checkpoint does not fit, or the loss is not finite.
pub fn train<T: PictureTask>(settings: &PictureTrainSettings, task: &T) -> anyhow::Result<MultiScaleNetwork> {
    let folder = &settings.folder;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut trainer = PictureTrainer::resume(folder, &settings.size, task, &settings.hardware, settings.seed)?;
    if trainer.step > 0 {
        let (step, minutes, all) = (trainer.step, trainer.secs / 60.0, settings.secs / 60.0);
        let is_finished = trainer.secs >= settings.secs;
        let what = if is_finished { "the run is finished; it ended after" } else { "going on from" };
        crate::say!("{}: {what} step {step}, {minutes:.1} of {all:.1} minutes", folder.display());
    }
    let mut progress = PictureProgress::new(folder, settings.secs)?;
    let mut saved_at = trainer.secs;
    let (drawers, draw) = (settings.hardware.threads()?, trainer.draws(task, settings.samples));
    std::thread::scope(|scope| {
        let mut ahead = Ahead::new(scope, &drawers, trainer.step, &draw);
        while trainer.secs < settings.secs {
            let start = Instant::now();
            let rate = learning_rate(trainer.secs / settings.secs, settings.learning_rate);
            let loss = trainer.step(task, ahead.next()?, rate)?;
            trainer.secs += start.elapsed().as_secs_f64();
            progress.step(trainer.step, trainer.secs, rate, loss)?;
            if trainer.secs - saved_at >= settings.checkpoint_secs {
                trainer.save(folder)?;
                saved_at = trainer.secs;
            }
        }
        anyhow::Ok(())
    })?;
    trainer.save(folder)?;
    progress.finish();
    Ok(trainer.network())
}

/// Linear warm-up, then half a cosine down; `done` is the share of the schedule that is over.
fn learning_rate(done: f64, peak: f64) -> f64 {
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos());
    peak * ((done + 1e-3) / WARM_UP).min(1.0) * (LAST_RATE + (1.0 - LAST_RATE) * cosine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_falls_and_ends_low() {
        let rates: Vec<f64> = [0.0, 0.01, 0.02, 0.5, 1.0].map(|done| learning_rate(done, 1.0)).to_vec();
        assert!(rates[0] < rates[1] && rates[1] < rates[2] && rates[2] > 0.95, "{rates:?}");
        assert!((rates[3] - 0.505).abs() < 1e-6 && (rates[4] - 0.01).abs() < 1e-6, "{rates:?}");
    }
}
