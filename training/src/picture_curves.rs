//! Loss and learning rate of a run of a 2D network against the time, as SVG beside its log.

use std::path::Path;

use anyhow::Context;
use plotters::prelude::*;

use crate::curves::CURVES_FILE;
use crate::export;
use crate::log::LOG_FILE;
use crate::picture_log::PictureLogLine;

/// Losses above this multiple of the least are those of the first steps and are left out.
const SPAN: f64 = 3.0;

/// Draws the log in `run` into `folder`. A run that was too short for a line has nothing to draw.
///
/// # Errors
/// When the log cannot be read or the file cannot be written.
pub fn write(run: &Path, folder: &Path) -> anyhow::Result<()> {
    let path = run.join(LOG_FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    // A run that was killed may have left half a line.
    let lines: Vec<PictureLogLine> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if lines.is_empty() {
        crate::say!("{} has no line yet: no {CURVES_FILE} is drawn", path.display());
        return Ok(());
    }
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (900, 560)).into_drawing_area();
        draw(&area, &lines).map_err(|error| anyhow::anyhow!("cannot draw the curves: {error}"))?;
    }
    export::write(&folder.join(CURVES_FILE), svg.as_bytes())
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    lines: &[PictureLogLine],
) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    let (upper, lower) = area.split_vertically(380);
    let minutes = |line: &PictureLogLine| line.secs / 60.0;
    let end = lines.iter().map(minutes).fold(1.0, f64::max);
    let least = lines.iter().map(|line| f64::from(line.loss)).fold(f64::INFINITY, f64::min);
    let most = lines.iter().map(|line| f64::from(line.loss)).fold(0.0, f64::max).min(SPAN * least);
    let mut losses = ChartBuilder::on(&upper)
        .margin(12)
        .caption("Training loss", ("sans-serif", 18))
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.9 * least..1.02 * most)?;
    losses.configure_mesh().x_desc("minutes").y_desc("loss").max_light_lines(2).draw()?;
    let points = lines.iter().map(|line| (minutes(line), f64::from(line.loss))).filter(|(_, loss)| *loss <= most);
    losses.draw_series(LineSeries::new(points, RGBColor(0, 114, 178).stroke_width(2)))?;
    let peak = lines.iter().map(|line| line.learning_rate).fold(1e-9, f64::max);
    let mut rates = ChartBuilder::on(&lower)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..1.1 * peak)?;
    rates
        .configure_mesh()
        .x_desc("minutes")
        .y_desc("learning rate")
        .y_labels(4)
        .max_light_lines(1)
        .y_label_formatter(&|rate| format!("{rate:.0e}"))
        .draw()?;
    let points = lines.iter().map(|line| (minutes(line), line.learning_rate));
    rates.draw_series(LineSeries::new(points, RGBColor(213, 94, 0).stroke_width(2)))?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_log_with_half_a_line_is_drawn_and_an_empty_one_is_not() {
        let run = tempfile::tempdir().unwrap();
        let line = |step: u64| PictureLogLine { step, secs: step as f64, learning_rate: 1e-3, loss: 3.0 - step as f32 };
        let mut text: String = (1..3).map(|step| serde_json::to_string(&line(step)).unwrap() + "\n").collect();
        text += "{\"step\":7";
        std::fs::write(run.path().join(LOG_FILE), text).unwrap();
        write(run.path(), run.path()).unwrap();
        let svg = std::fs::read_to_string(run.path().join(CURVES_FILE)).unwrap();
        assert!(svg.contains("Training loss") && svg.contains("<polyline") && !svg.contains("NaN"));
        std::fs::write(run.path().join(LOG_FILE), "").unwrap();
        let folder = tempfile::tempdir().unwrap();
        write(run.path(), folder.path()).unwrap();
        assert!(!folder.path().join(CURVES_FILE).exists());
    }
}
