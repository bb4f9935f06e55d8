//! What a run says of itself while it goes on: progress bar, log, curves.

use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::curves;
use crate::log::{LogWriter, TrainingLine, ValidationLine};
use crate::trainer::StepReport;
use crate::validate::Score;

/// Steps between log lines.
const LOG_EVERY: u64 = 20;
/// Weight of one step in the smoothed error.
const SMOOTHING: f32 = 0.02;

/// Bar, log and curves of one run.
pub(crate) struct Progress {
    folder: PathBuf,
    log: LogWriter,
    bar: ProgressBar,
    began: Instant,
    smooth_position_mm: Option<f32>,
}

impl Progress {
    /// Opens the log of `folder`; the bar starts at `first_step`.
    pub(crate) fn new(folder: &Path, first_step: u64, steps: u64) -> anyhow::Result<Self> {
        let style =
            ProgressStyle::with_template("{elapsed_precise} [{wide_bar}] {pos}/{len} steps, {eta} left, {msg}")?;
        let bar = ProgressBar::new(steps).with_style(style);
        bar.set_position(first_step);
        bar.reset_eta();
        Ok(Self {
            folder: folder.to_owned(),
            log: LogWriter::open(folder)?,
            bar,
            began: Instant::now(),
            smooth_position_mm: None,
        })
    }

    /// Takes in one step; `step` counts those done.
    pub(crate) fn step(&mut self, step: u64, learning_rate: f64, report: &StepReport) -> anyhow::Result<()> {
        let position_mm = self
            .smooth_position_mm
            .map_or(report.position_mm, |mean| (1.0 - SMOOTHING) * mean + SMOOTHING * report.position_mm);
        self.smooth_position_mm = Some(position_mm);
        self.bar.set_message(format!("{position_mm:.1} mm"));
        self.bar.inc(1);
        if step.is_multiple_of(LOG_EVERY) {
            self.log.training(&TrainingLine {
                step,
                secs: self.began.elapsed().as_secs_f64(),
                learning_rate,
                position_mm,
                likelihood: report.likelihood,
                adversarial: report.adversarial,
                discriminator: report.discriminator,
                reprojection_mm: report.reprojection_mm,
            })?;
        }
        Ok(())
    }

    /// Takes in errors on the validation persons.
    pub(crate) fn validation(&mut self, step: u64, score: Score) -> anyhow::Result<()> {
        self.bar.suspend(|| {
            let heads: Vec<String> = score.mpjpe_mm.iter().map(|error| format!("{error:.1}")).collect();
            crate::say!("step {step}: validation MPJPE {} mm, PA-MPJPE {:.1} mm", heads.join(" / "), score.pa_mpjpe_mm);
        });
        self.log.validation(&ValidationLine {
            step,
            secs: self.began.elapsed().as_secs_f64(),
            poses: score.poses,
            mpjpe_mm: score.mpjpe_mm,
            pa_mpjpe_mm: score.pa_mpjpe_mm,
        })
    }

    /// Draws the curves beside the log.
    pub(crate) fn draw(&self) -> anyhow::Result<()> {
        curves::write_beside(&self.folder)
    }

    /// The run is over.
    pub(crate) fn finish(&self) {
        self.bar.finish();
    }
}
