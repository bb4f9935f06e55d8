//! Plots of an evaluation as SVG, to stand inside HTML. Text is text, so that it can be searched and read aloud.

use plotters::prelude::*;

use crate::metrics::{BINS, Calibration, ELLIPSOIDS, Evaluation, PersonSample, Summary, mean};
use crate::skeleton::Joint;

/// Colours that stay apart for people with colour-blindness (Okabe and Ito 2008).
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
const GREY: RGBColor = RGBColor(150, 150, 150);
/// Size of the text, px.
const TEXT_PX: i32 = 13;
/// Points of a curve at most; longer recordings are averaged in pieces.
const POINTS: usize = 800;

/// Plotters' own error, with the type of the backend gone.
#[derive(Debug, thiserror::Error)]
#[error("a plot cannot be drawn: {0}")]
pub struct PlotError(String);

fn failed(error: impl std::fmt::Display) -> PlotError {
    PlotError(error.to_string())
}

/// Draws into an SVG of this size.
fn svg(
    (width, height): (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        draw(&area)?;
        area.present().map_err(failed)?;
    }
    Ok(text)
}

/// Mean joint error and root error of each image over time, two panels.
pub fn error_over_time(evaluation: &Evaluation) -> Result<Option<String>, PlotError> {
    let Some(first) = evaluation.samples.first() else { return Ok(None) };
    // One point for each image: the mean over the people in it.
    let at = |of: &dyn Fn(&PersonSample) -> Option<f64>| -> Vec<(f64, f64)> {
        let images = evaluation.samples.chunk_by(|a, b| a.image_index == b.image_index);
        let points = images.filter_map(|people| {
            let errors: Vec<f64> = people.iter().filter_map(of).collect();
            Some((people.first()?.stamp.seconds_since(first.stamp), mean(&errors)?))
        });
        thinned(&points.collect::<Vec<_>>())
    };
    let pose = at(&|sample| mean(&sample.error.mpjpe_mm.iter().flatten().copied().collect::<Vec<_>>()));
    let root = at(&|sample| sample.error.root_mm.map(|root| root.norm()));
    let svg = svg((900, 360), |area| {
        let panels = area.split_evenly((2, 1));
        for ((panel, points), (name, colour)) in
            panels.iter().zip([&pose, &root]).zip([("MPJPE, mm", BLUE), ("root error, mm", ORANGE)])
        {
            let (Some(&(start, _)), Some(&(end, _))) = (points.first(), points.last()) else { continue };
            let top = points.iter().map(|&(_, error)| error).fold(1.0, f64::max) * 1.05;
            let mut chart = ChartBuilder::on(panel)
                .margin(8)
                .x_label_area_size(40)
                .y_label_area_size(56)
                .build_cartesian_2d(start..end.max(start + 1e-3), 0.0..top)
                .map_err(failed)?;
            chart
                .configure_mesh()
                .label_style(("sans-serif", TEXT_PX))
                .x_desc("s")
                .y_desc(name)
                .light_line_style(TRANSPARENT)
                .x_labels(10)
                .y_labels(5)
                .draw()
                .map_err(failed)?;
            chart.draw_series(LineSeries::new(points.iter().copied(), &colour)).map_err(failed)?;
        }
        Ok(())
    })?;
    Ok(Some(svg))
}

/// At most [`POINTS`] points: neighbours are averaged.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let piece = points.len().div_ceil(POINTS).max(1);
    let middle = |piece: &[(f64, f64)]| {
        let count = piece.len() as f64;
        let (x, y) = piece.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        (x / count, y / count)
    };
    points.chunks(piece).map(middle).collect()
}

/// MPJPE and PA-MPJPE of each joint side by side.
pub fn joint_bars(summary: &Summary) -> Result<Option<String>, PlotError> {
    let joints: Vec<(&str, [Option<f64>; 2])> = Joint::ALL
        .into_iter()
        .zip(&summary.per_joint)
        .filter(|(_, metrics)| metrics.samples > 0)
        .map(|(joint, metrics)| (joint.name(), [metrics.mpjpe_mm, metrics.pa_mpjpe_mm]))
        .collect();
    let values = joints.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    let top = values.fold(1.0, f64::max) * 1.08;
    if joints.is_empty() {
        return Ok(None);
    }
    let count = joints.len();
    let svg = svg((900, 330), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(-0.5..count as f64 - 0.5, 0.0..top)
            .map_err(failed)?;
        let name = |x: &f64| joints.get(x.round() as usize).map_or_else(String::new, |(name, _)| (*name).to_owned());
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(2 * count)
            // Ticks fall between the joints as well: names are drawn below, at the joints alone.
            .x_label_formatter(&|_| String::new())
            .label_style(("sans-serif", TEXT_PX))
            .y_desc("mm")
            .draw()
            .map_err(failed)?;
        for (side, (colour, label)) in [(BLUE, "MPJPE"), (ORANGE, "PA-MPJPE")].into_iter().enumerate() {
            let bars = joints.iter().enumerate().filter_map(|(index, (_, values))| {
                let left = index as f64 - 0.38 + 0.38 * side as f64;
                Some(Rectangle::new([(left, 0.0), (left + 0.36, values[side]?)], colour.filled()))
            });
            chart
                .draw_series(bars)
                .map_err(failed)?
                .label(label)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
        }
        let legend = chart
            .configure_series_labels()
            .label_font(("sans-serif", TEXT_PX))
            .position(SeriesLabelPosition::UpperLeft)
            .draw();
        legend.map_err(failed)?;
        let style = ("sans-serif", TEXT_PX).into_font().color(&BLACK);
        for index in 0..count {
            let text = name(&(index as f64));
            let (x, y) = chart.backend_coord(&(index as f64, 0.0));
            let left = x - TEXT_PX / 4 * text.len() as i32;
            area.draw(&Text::new(text, (left, y + 8 + TEXT_PX * (index as i32 % 2)), style.clone())).map_err(failed)?;
        }
        Ok(())
    })?;
    Ok(Some(svg))
}

/// A square plot of shares against stated shares, with the diagonal of perfection.
fn stated_against_true(name: &str, points: &[(f64, f64)], bars: &[(f64, f64)]) -> Result<String, PlotError> {
    svg((420, 380), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .label_style(("sans-serif", TEXT_PX))
            .x_desc(name)
            .y_desc("share that is true")
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(failed)?;
        let width = 1.0 / BINS as f64;
        let counts = bars.iter().map(|&(left, height)| {
            Rectangle::new([(left + 0.1 * width, 0.0), (left + 0.9 * width, height)], GREY.mix(0.3).filled())
        });
        chart.draw_series(counts).map_err(failed)?;
        chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], &GREY)).map_err(failed)?;
        chart.draw_series(LineSeries::new(points.iter().copied(), BLUE.stroke_width(2))).map_err(failed)?;
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 4, BLUE.filled()))).map_err(failed)?;
        Ok(())
    })
}

/// Reliability of the confidence; grey bars are the share of joints in each bin.
pub fn reliability(calibration: &Calibration) -> Result<String, PlotError> {
    let points: Vec<(f64, f64)> =
        calibration.bins.iter().filter_map(|bin| bin.mean_confidence.zip(bin.hit_share)).collect();
    let bars: Vec<(f64, f64)> = calibration
        .bins
        .iter()
        .enumerate()
        .map(|(index, bin)| (index as f64 / BINS as f64, bin.count as f64 / calibration.count as f64))
        .collect();
    stated_against_true("stated confidence", &points, &bars)
}

/// Share of joints inside each ellipsoid.
pub fn coverage(shares: &[f64; ELLIPSOIDS.len()]) -> Result<String, PlotError> {
    let points: Vec<(f64, f64)> =
        ELLIPSOIDS.iter().zip(shares).map(|(&(percent, _), &share)| (f64::from(percent) / 100.0, share)).collect();
    stated_against_true("stated probability of the ellipsoid", &points, &[])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn nothing_to_plot_is_no_plot() {
        let evaluation = Evaluation::default();
        assert!(error_over_time(&evaluation).unwrap().is_none());
        assert!(joint_bars(&Summary::of(&evaluation)).unwrap().is_none());
    }

    #[test]
    fn coverage_has_a_point_for_each_ellipsoid_above_or_below_the_diagonal() {
        let svg = coverage(&[0.7, 0.8, 0.9, 0.95]).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert_eq!(svg.matches("<circle").count(), 4);
        assert!(svg.contains("stated probability of the ellipsoid"));
    }

    #[test]
    fn long_recordings_are_averaged_not_cut() {
        let points: Vec<(f64, f64)> = (0..10_000).map(|index| (f64::from(index), 1.0 + f64::from(index % 2))).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= POINTS && thin.len() > POINTS / 2, "{}", thin.len());
        assert!(thin.last().unwrap().0 > 9980.0 && thin.iter().all(|&(_, y)| (y - 1.5).abs() < 0.2));
        assert_eq!(thinned(&[(0.0, 3.0)]), [(0.0, 3.0)]);
    }
}
