//! The training loop: draw, step, log, validate, save.

use std::path::PathBuf;

use anyhow::Context;

use crate::batch::{self, BatchSettings, Draw};
use crate::corpus::{Corpus, KeypointsOnly};
use crate::hardware::Hardware;
use crate::mocap::Clip;
use crate::network::TemporalNetwork;
use crate::noise::DetectorNoise;
use crate::progress::Progress;
use crate::run_settings::RunSettings;
use crate::trainer::{LearnSettings, Trainer};
use crate::validate::{Condition, Hidden, Score, Validation};

/// One run.
#[derive(Clone, Debug)]
pub struct TrainSettings {
    /// Where checkpoints and the log go.
    pub folder: PathBuf,
    /// What learns.
    pub learn: LearnSettings,
    /// How clips are drawn.
    pub batch: BatchSettings,
    /// Steps of the whole schedule.
    pub steps: u64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Steps between measurements on the validation persons; 0 for none.
    pub validate_every: u64,
    /// What computes it.
    pub hardware: Hardware,
}

/// What a run learns from and is measured on.
pub struct TrainData<'a> {
    /// Motion capture of both splits.
    pub clips: &'a [Clip],
    /// Share of the training poses whose persons keep their 3D labels.
    pub label_share: f64,
    /// More people, of whom the keypoints alone are used.
    pub keypoints_only: &'a KeypointsOnly,
    /// The detector.
    pub noise: &'a DetectorNoise,
}

impl TrainData<'_> {
    fn corpus(&self, seed: u64) -> anyhow::Result<Corpus<'_>> {
        let corpus = Corpus::partly_labelled(self.clips, self.label_share, self.keypoints_only, seed);
        anyhow::ensure!(!corpus.is_empty(), "no training clip with labels");
        let (labelled, unlabelled) = corpus.poses();
        if unlabelled > 0 {
            crate::say!("{labelled} poses with labels, {unlabelled} without");
        }
        Ok(corpus)
    }
}

/// Trains and returns the final network. Resumes from `folder` when it holds a checkpoint.
///
/// # Errors
/// When a file cannot be written or a checkpoint does not fit.
pub fn train<N: TemporalNetwork>(settings: &TrainSettings, data: &TrainData<'_>) -> anyhow::Result<N> {
    std::fs::create_dir_all(&settings.folder)
        .with_context(|| format!("cannot create {}", settings.folder.display()))?;
    let corpus = data.corpus(settings.seed)?;
    let mut trainer = Trainer::<N>::resume(&settings.folder, &settings.learn, settings.seed, &settings.hardware)?;
    let first_step = trainer.step;
    tell_where_it_goes_on(settings, data, first_step)?;
    if settings.validate_every > 0 && !data.clips.iter().any(Clip::is_measured) {
        crate::say!("no validation person moves: no errors are measured during training");
    }
    let mut progress = Progress::new(&settings.folder, first_step, settings.steps)?;
    for step in first_step..settings.steps {
        let (in_cycle, cycle) = in_cycle(step, settings.steps, settings.learn.cycles);
        let severity = severity(in_cycle, cycle);
        let (corpus, noise, seed) = (&corpus, data.noise, settings.seed);
        let draw = Draw { corpus, noise, settings: &settings.batch, severity, seed, step };
        let rate = learning_rate(in_cycle, cycle, settings.learning_rate);
        let done = step as f64 / settings.steps as f64;
        let parts = settings.batch.parts(step, settings.hardware.part_samples());
        let report = trainer.step(&parts, |clips| batch::draw_part(&draw, clips), rate, done)?;
        if in_cycle + 1 == cycle {
            trainer.end_cycle();
        }
        progress.step(trainer.step, rate, &report)?;
        let is_due = |every: u64| every > 0 && (trainer.step.is_multiple_of(every) || trainer.step == settings.steps);
        if is_due(settings.validate_every)
            && let Some(score) = score(&trainer.network(), settings, data)
        {
            progress.validation(trainer.step, score)?;
        }
        if is_due(settings.checkpoint_every) {
            trainer.save(&settings.folder)?;
            progress.draw()?;
        }
    }
    progress.finish();
    Ok(trainer.network())
}

/// Says where a run that is taken up again goes on, and what it is told now that it was not told before.
fn tell_where_it_goes_on(settings: &TrainSettings, data: &TrainData<'_>, first_step: u64) -> anyhow::Result<()> {
    let (folder, steps) = (settings.folder.display(), settings.steps);
    let now = RunSettings::of(settings, data);
    if first_step > 0 {
        if first_step < steps {
            crate::say!("{folder}: going on from step {first_step} of {steps}");
        } else {
            crate::say!(
                "{folder}: the run is finished, {first_step} of {steps} steps are done; use another folder for a new one"
            );
        }
        let was = RunSettings::read(&settings.folder)?;
        for difference in was.map_or_else(Vec::new, |was| was.differences(&now)) {
            crate::say!(
                "{folder}: the run is gone on with as it is told now, but was told otherwise before: {difference}"
            );
        }
    }
    now.write(&settings.folder)
}

/// Errors on moving validation persons, one scene a clip, nothing hidden; absent where there are none.
fn score<N: TemporalNetwork>(network: &N, settings: &TrainSettings, data: &TrainData<'_>) -> Option<Score> {
    let size = &settings.learn.size;
    let validation = Validation { network, size, clips: data.clips, noise: data.noise, scenes_per_clip: 1 };
    let condition = Condition::hiding(Hidden::Share(0.0));
    validation.score(Clip::is_moving, &condition)
}

/// Severity of occlusions at `step` of a cycle: from minor to severe over the first half.
fn severity(step: u64, steps: u64) -> f64 {
    (0.2 + 1.6 * step as f64 / steps as f64).min(1.0)
}

/// Where `step` lies in its cycle, and how long that is. Cycles are of equal length but for the last, which ends with the schedule.
fn in_cycle(step: u64, steps: u64, cycles: u64) -> (u64, u64) {
    let length = steps.div_ceil(cycles.max(1)).max(1);
    let start = step / length * length;
    (step - start, length.min(steps - start))
}

/// Linear warm-up, then linear to zero over the last 95 %.
fn learning_rate(step: u64, steps: u64, peak: f64) -> f64 {
    let warm_up = (step as f64 + 1.0) / (0.02 * steps as f64).max(1.0);
    let cool_down = (steps - step) as f64 / (0.95 * steps as f64);
    peak * warm_up.min(cool_down).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_divided_into_cycles_that_end_with_it() {
        assert_eq!(
            (0..10).map(|step| in_cycle(step, 10, 1)).collect::<Vec<_>>(),
            (0..10).map(|step| (step, 10)).collect::<Vec<_>>()
        );
        let cycles: Vec<_> = (0..10).map(|step| in_cycle(step, 10, 3)).collect();
        assert_eq!(cycles, [(0, 4), (1, 4), (2, 4), (3, 4), (0, 4), (1, 4), (2, 4), (3, 4), (0, 2), (1, 2)]);
        assert_eq!(in_cycle(2, 3, 8), (0, 1));
    }

    #[test]
    fn every_cycle_takes_the_rate_from_its_peak_to_zero() {
        let rate = |step| {
            let (step, steps) = in_cycle(step, 2000, 2);
            learning_rate(step, steps, 1.0)
        };
        for start in [0, 1000] {
            assert!(rate(start) < 0.1 && rate(start + 50) > 0.99 && rate(start + 999) < 0.01);
        }
    }
}
