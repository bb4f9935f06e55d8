//! Curves of one or several runs as SVG: position error above, learning rate below, both against the step.
//!
//! A run has one colour. Its training error is a thin line; its errors on the validation persons, MPJPE and
//! PA-MPJPE of the first head, are thicker lines with a dot at each measurement, hollow for PA-MPJPE. Errors above `SPAN` times
//! the least one, those of the first steps, are left out so that the rest can be told apart.

use std::path::Path;

use anyhow::Context;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::export;
use crate::log::RunLog;

const SIZE_PX: (u32, u32) = (1000, 720);
const RATE_HEIGHT_PX: u32 = 200;
/// Greatest error drawn, as a multiple of the least.
const SPAN: f64 = 3.0;
/// Distinct for the colour-blind (Okabe and Ito 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// Name of the curves in the folder of a run.
pub const CURVES_FILE: &str = "curves.svg";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Points = Vec<(u64, f64)>;

/// One line of the upper diagram.
struct Curve {
    label: String,
    points: Points,
    /// Measured on the validation persons.
    measured: bool,
    /// After alignment (PA-MPJPE).
    aligned: bool,
    colour: RGBColor,
}

/// Writes the curves of `runs` (name, log).
///
/// # Errors
/// When no run has a line to draw, or the file cannot be written.
pub fn write(runs: &[(String, RunLog)], path: &Path) -> anyhow::Result<()> {
    export::write(path, draw(runs)?.as_bytes())
}

/// Writes the curves of the run in `folder` beside its log.
///
/// # Errors
/// When the log cannot be read or the file cannot be written.
pub fn write_beside(folder: &Path) -> anyhow::Result<()> {
    let log = RunLog::read(folder)?;
    let name = folder.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned());
    if log.training.is_empty() { Ok(()) } else { write(&[(name, log)], &folder.join(CURVES_FILE)) }
}

/// The curves as SVG.
fn draw(runs: &[(String, RunLog)]) -> anyhow::Result<String> {
    let mut curves = Vec::new();
    let mut rates: Vec<(RGBColor, Points)> = Vec::new();
    for ((name, log), colour) in runs.iter().zip(COLOURS.into_iter().cycle()) {
        let mut curve = |what: &str, measured: bool, points: Points| {
            if !points.is_empty() {
                let aligned = what.contains("PA-");
                curves.push(Curve { label: format!("{name}: {what}"), points, measured, aligned, colour });
            }
        };
        curve("training", false, log.training.iter().map(|line| (line.step, f64::from(line.position_mm))).collect());
        curve(
            "validation MPJPE",
            true,
            log.validation.iter().filter_map(|line| Some((line.step, *line.mpjpe_mm.first()?))).collect(),
        );
        curve("validation PA-MPJPE", true, log.validation.iter().map(|line| (line.step, line.pa_mpjpe_mm)).collect());
        rates.push((colour, log.training.iter().map(|line| (line.step, line.learning_rate)).collect()));
    }
    let last_step = curves
        .iter()
        .filter_map(|curve| curve.points.last())
        .map(|point| point.0)
        .max()
        .context("no run has a log line yet: nothing to draw")?
        .max(1);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE_PX).into_drawing_area();
        let (upper, lower) = area.split_vertically(SIZE_PX.1 - RATE_HEIGHT_PX);
        // The backend writes into a string, so an error is one of the diagram's own.
        draw_all(&area, &upper, &lower, &curves, &rates, last_step)
            .map_err(|error| anyhow::anyhow!("cannot draw the curves: {error}"))?;
    }
    Ok(svg)
}

fn draw_all(
    area: &Area<'_>,
    upper: &Area<'_>,
    lower: &Area<'_>,
    curves: &[Curve],
    rates: &[(RGBColor, Points)],
    last_step: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    draw_errors(upper, curves, last_step)?;
    draw_rates(lower, rates, last_step)?;
    area.present()?;
    Ok(())
}

fn draw_errors(area: &Area<'_>, curves: &[Curve], last_step: u64) -> Result<(), Box<dyn std::error::Error>> {
    let errors = || curves.iter().flat_map(|curve| &curve.points).map(|point| point.1).filter(|error| *error > 0.0);
    let low = errors().fold(f64::INFINITY, f64::min);
    let high = errors().fold(0.0, f64::max).min(SPAN * low);
    let range = if low <= high { 0.9 * low..1.05 * high } else { 0.0..1.0 };
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption("Position error", ("sans-serif", 20))
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0..last_step, range.clone())?;
    chart
        .configure_mesh()
        .x_desc("step")
        .y_desc("mm")
        .max_light_lines(4)
        .y_label_formatter(&|error| format!("{error:.0}"))
        .draw()?;
    for curve in curves {
        let width = if curve.measured { 2 } else { 1 };
        let style = curve.colour.stroke_width(width);
        let drawn = || curve.points.iter().copied().filter(|(_, error)| range.contains(error));
        chart
            .draw_series(LineSeries::new(drawn(), style))?
            .label(curve.label.clone())
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], style));
        if curve.measured {
            let fill = if curve.aligned { WHITE.filled() } else { curve.colour.filled() };
            chart.draw_series(drawn().map(|point| Circle::new(point, 4, curve.colour.filled())))?;
            chart.draw_series(drawn().map(|point| Circle::new(point, 3, fill)))?;
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK)
        .draw()?;
    Ok(())
}

fn draw_rates(area: &Area<'_>, rates: &[(RGBColor, Points)], last_step: u64) -> Result<(), Box<dyn std::error::Error>> {
    let high = rates.iter().flat_map(|(_, points)| points).map(|point| point.1).fold(0.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0..last_step, 0.0..if high > 0.0 { high } else { 1.0 })?;
    chart
        .configure_mesh()
        .x_desc("step")
        .y_desc("learning rate")
        .y_labels(5)
        .max_light_lines(2)
        .y_label_formatter(&|rate| format!("{rate:.1e}"))
        .draw()?;
    for (colour, points) in rates {
        chart.draw_series(LineSeries::new(points.iter().copied(), *colour))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::log::{TrainingLine, ValidationLine};

    fn log(steps: u64) -> RunLog {
        let training = |step: u64| TrainingLine {
            step: step * 20,
            secs: step as f64,
            learning_rate: 1e-3,
            position_mm: 120.0 - step as f32,
            likelihood: -1.0,
            adversarial: None,
            discriminator: None,
            reprojection_mm: None,
        };
        let validation =
            ValidationLine { step: steps * 20, secs: 9.0, poses: 1, mpjpe_mm: vec![90.0; 3], pa_mpjpe_mm: 70.0 };
        RunLog { training: (1..=steps).map(training).collect(), validation: vec![validation], damaged_lines: 0 }
    }

    #[test]
    fn each_run_has_its_colour_and_its_name_in_the_legend() {
        let svg = draw(&[("first".into(), log(5)), ("second".into(), log(8))]).unwrap();
        for text in ["first: training", "second: training", "second: validation PA-MPJPE", "learning rate"] {
            assert!(svg.contains(text), "no \"{text}\"");
        }
        assert!(svg.contains("#0072B2") && svg.contains("#D55E00"));
        let lines = svg.matches("<polyline").count();
        assert!(lines >= 2 * 4, "{lines} lines");
        assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"));
    }

    #[test]
    fn one_point_is_enough_and_none_is_an_error() {
        assert!(draw(&[("one".into(), log(1))]).unwrap().contains("one: training"));
        let error = draw(&[("empty".into(), RunLog::default())]).unwrap_err().to_string();
        assert!(error.contains("nothing to draw"), "{error}");
    }
}
