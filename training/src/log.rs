//! The log of a run, `log.jsonl`: one JSON object a line, of two kinds.
//!
//! ```text
//! {"step":20,"secs":5.9,"learning_rate":1.2e-4,"position_mm":310.2,"likelihood":0.4}
//! {"kind":"validation","step":1000,"secs":301.0,"poses":4950,"mpjpe_mm":[98.1,93.0,90.4],"pa_mpjpe_mm":71.3}
//! ```
//! A run that is killed may leave half a line and lines that lie beyond its last checkpoint. Opening the log to go on
//! cuts the half line off; reading takes the newest word on every step and counts what it cannot read.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Name of the log in the folder of a run.
pub const LOG_FILE: &str = "log.jsonl";

/// How training goes, smoothed over about 50 steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingLine {
    /// Steps done.
    pub step: u64,
    /// Time since the run was started or taken up again, s.
    pub secs: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Mean joint distance of the first head, mm.
    pub position_mm: f32,
    /// Mean likelihood of the first head, nats a coordinate.
    pub likelihood: f32,
    /// What the discriminator adds to the lifter's loss; absent before it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adversarial: Option<f32>,
    /// Loss of the discriminator, 0.25 where it cannot tell; absent before it learns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discriminator: Option<f32>,
    /// Mean reprojection error of unlabelled clips, mm; absent before they count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reprojection_mm: Option<f32>,
}

/// Errors on the validation persons during training: moving people, one scene a clip, nothing hidden.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationLine {
    /// Steps done.
    pub step: u64,
    /// Time since the run was started or taken up again, s.
    pub secs: f64,
    /// Poses scored.
    pub poses: usize,
    /// Root-relative MPJPE of each head, mm.
    pub mpjpe_mm: Vec<f64>,
    /// PA-MPJPE of the first head, mm.
    pub pa_mpjpe_mm: f64,
}

/// A log that is being written.
pub struct LogWriter {
    file: File,
    path: PathBuf,
}

impl LogWriter {
    /// Opens the log of `folder` to write on; half a line at its end is cut off.
    ///
    /// # Errors
    /// When the file cannot be opened, read or cut.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(LOG_FILE);
        let context = || format!("cannot open {}", path.display());
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).with_context(context)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).with_context(context)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        file.set_len(whole as u64).with_context(context)?;
        file.seek(SeekFrom::Start(whole as u64)).with_context(context)?;
        Ok(Self { file, path })
    }

    /// Writes how training goes.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn training(&mut self, line: &TrainingLine) -> anyhow::Result<()> {
        self.write(&serde_json::to_string(line)?)
    }

    /// Writes errors on the validation persons.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn validation(&mut self, line: &ValidationLine) -> anyhow::Result<()> {
        let fields = serde_json::to_string(line)?;
        self.write(&format!("{{\"kind\":\"validation\",{}", &fields[1..]))
    }

    /// One call, so that a reader never sees half a line while the run goes on.
    fn write(&mut self, line: &str) -> anyhow::Result<()> {
        self.file
            .write_all(format!("{line}\n").as_bytes())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// A log that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunLog {
    /// How training went, steps rising.
    pub training: Vec<TrainingLine>,
    /// Errors on the validation persons, steps rising.
    pub validation: Vec<ValidationLine>,
    /// Lines that could not be read.
    pub damaged_lines: usize,
}

impl RunLog {
    /// Reads the log in `folder`.
    ///
    /// # Errors
    /// When the file cannot be read; damaged lines are counted, not refused.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(LOG_FILE);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    fn parse(text: &str) -> Self {
        let mut log = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if log.take(line).is_none() {
                log.damaged_lines += 1;
            }
        }
        log
    }

    /// Takes in one line; `None` when it cannot be read.
    fn take(&mut self, line: &str) -> Option<()> {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        match value.get("kind").and_then(serde_json::Value::as_str) {
            None => {
                let line: TrainingLine = serde_json::from_value(value).ok()?;
                // A run taken up again from an older checkpoint repeats steps: the newest word counts.
                self.training.truncate(self.training.partition_point(|earlier| earlier.step < line.step));
                self.training.push(line);
            }
            Some("validation") => {
                let line: ValidationLine = serde_json::from_value(value).ok()?;
                self.validation.truncate(self.validation.partition_point(|earlier| earlier.step < line.step));
                self.validation.push(line);
            }
            Some(_) => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn training(step: u64, position_mm: f32) -> TrainingLine {
        let line = format!(
            "{{\"step\":{step},\"secs\":1.0,\"learning_rate\":1e-3,\"position_mm\":{position_mm},\"likelihood\":-1.0}}"
        );
        serde_json::from_str(&line).unwrap()
    }

    fn validation(step: u64) -> ValidationLine {
        ValidationLine { step, secs: 1.0, poses: 9, mpjpe_mm: vec![80.0, 75.0, 70.0], pa_mpjpe_mm: 60.0 }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(folder.path()).unwrap();
        writer.training(&training(20, 300.0)).unwrap();
        writer.validation(&validation(20)).unwrap();
        let log = RunLog::read(folder.path()).unwrap();
        assert_eq!(
            log,
            RunLog { training: vec![training(20, 300.0)], validation: vec![validation(20)], damaged_lines: 0 }
        );
    }

    #[test]
    fn half_a_line_is_cut_off_and_steps_done_again_replace_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(folder.path()).unwrap();
        for (step, position_mm) in [(20, 300.0), (40, 290.0), (60, 280.0)] {
            writer.training(&training(step, position_mm)).unwrap();
        }
        writer.write("x").unwrap();
        drop(writer);
        let path = folder.path().join(LOG_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{{\"step\":80,\"se")).unwrap();
        let cut = RunLog::read(folder.path()).unwrap();
        assert_eq!((cut.training.len(), cut.damaged_lines), (3, 2));
        LogWriter::open(folder.path()).unwrap().training(&training(40, 250.0)).unwrap();
        let log = RunLog::read(folder.path()).unwrap();
        assert_eq!(log.training, [training(20, 300.0), training(40, 250.0)]);
        assert_eq!(log.damaged_lines, 1, "the line x; the half line is gone");
    }
}
