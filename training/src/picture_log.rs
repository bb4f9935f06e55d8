//! What a run of a 2D network says of itself: progress on the console and `log.jsonl`, one JSON object a line:
//!
//! ```text
//! {"step":50,"secs":31.2,"learning_rate":0.002,"loss":2.31}
//! ```

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::log::LOG_FILE;

/// Steps between log lines.
const LOG_EVERY: u64 = 25;

/// How training goes: the mean since the line before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureLogLine {
    /// Steps done.
    pub step: u64,
    /// Time spent training, s.
    pub secs: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Mean loss.
    pub loss: f32,
}

/// Log and bar of one run.
pub(crate) struct PictureProgress {
    file: File,
    path: PathBuf,
    bar: ProgressBar,
    sum: f32,
    steps: u64,
}

impl PictureProgress {
    pub(crate) fn new(folder: &Path, secs: f64) -> anyhow::Result<Self> {
        let path = folder.join(LOG_FILE);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        let style = ProgressStyle::with_template("[{wide_bar}] {pos} of {len} s, {msg}")?;
        Ok(Self { file, path, bar: ProgressBar::new(secs as u64).with_style(style), sum: 0.0, steps: 0 })
    }

    /// Takes in one step; `step` counts those done.
    pub(crate) fn step(&mut self, step: u64, secs: f64, learning_rate: f64, loss: f32) -> anyhow::Result<()> {
        self.sum += loss;
        self.steps += 1;
        self.bar.set_position(secs as u64);
        if !step.is_multiple_of(LOG_EVERY) {
            return Ok(());
        }
        let loss = self.sum / self.steps as f32;
        (self.sum, self.steps) = (0.0, 0);
        self.bar.set_message(format!("step {step}, loss {loss:.3}"));
        let line = serde_json::to_string(&PictureLogLine { step, secs, learning_rate, loss })?;
        // One call, so that a reader never sees half a line.
        self.file
            .write_all(format!("{line}\n").as_bytes())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    pub(crate) fn finish(&self) {
        self.bar.finish();
    }
}
