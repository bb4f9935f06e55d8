//! `stridepose-train curves`.

use std::path::PathBuf;

use stridepose_train::curves;
use stridepose_train::log::RunLog;

#[derive(clap::Args)]
pub struct CurvesArguments {
    /// Folders of runs, overlaid.
    #[arg(long, required = true, num_args = 1..)]
    checkpoint: Vec<PathBuf>,
    /// SVG to write.
    #[arg(long, short)]
    output: PathBuf,
}

/// Draws the curves of runs.
pub fn curves(arguments: &CurvesArguments) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for folder in &arguments.checkpoint {
        let log = RunLog::read(folder)?;
        if log.damaged_lines > 0 {
            eprintln!("{}: {} lines of the log cannot be read and are left out", folder.display(), log.damaged_lines);
        }
        runs.push((folder.display().to_string(), log));
    }
    curves::write(&runs, &arguments.output)?;
    stridepose_train::say!("wrote {}", arguments.output.display());
    Ok(())
}
