//! Model folders of the 2D networks: the graph, its contract and what its confidence was calibrated to.

use std::path::Path;

use anyhow::Context;
use plotters::prelude::*;
use sha2::{Digest, Sha256};
use stridepose::adapters::model_store::hexadecimal;
use stridepose::metrics::Calibration;
use stridepose::model::{ImageInput, SCORE_KNOTS};
use stridepose::skeleton::Joint;

use crate::export::{CONTRACT_FILE, write};
use crate::export_multi_scale;
use crate::finite;
use crate::keypoint_crop::image_input;
use crate::keypoint_score::DARK_KERNEL;
use crate::multi_scale::{MultiScaleNetwork, MultiScaleSize, STRIDE_PX};

/// Reliability curve in a model folder.
pub const RELIABILITY_FILE: &str = "reliability.svg";

/// Writes the folder of a keypoint network, the contract last.
///
/// # Errors
/// When a weight is not finite or a file cannot be written.
pub fn keypoints(
    folder: &Path,
    network: &MultiScaleNetwork,
    size: &MultiScaleSize,
    confidence: &[f32; SCORE_KNOTS],
    origin: &str,
) -> anyhow::Result<()> {
    finite::check(network, "keypoint network")?;
    let knots: Vec<String> = confidence.iter().map(|probability| format!("{probability:.3}")).collect();
    let section = format!(
        "keypoints:\n  layout: {}\n  # Probability that a keypoint lies within a tenth of the person's longer side, at raw scores 0, 0.1, … 1\n  \
         confidence: [{}]\n  decode:\n    style: heatmap\n    output: heatmaps\n    heatmap_stride_px: {STRIDE_PX}\n    \
         alignment: cells\n    refine: {{method: dark, kernel: {DARK_KERNEL}}}\n    target_sigma: {:.1}\n",
        Joint::SET_NAME,
        knots.join(", "),
        size.target_sigma()
    );
    write_folder(folder, "keypoints", &export_multi_scale::keypoints(network, size), size, origin, &section)
}

/// Writes the folder of a person detector, the contract last.
///
/// # Errors
/// When a weight is not finite or a file cannot be written.
pub fn person(folder: &Path, network: &MultiScaleNetwork, size: &MultiScaleSize, origin: &str) -> anyhow::Result<()> {
    finite::check(network, "person detector")?;
    let section = format!(
        "detector:\n  style: center_heatmap\n  heatmap: heatmap\n  size: size\n  offset: offset\n  stride_px: {STRIDE_PX}\n"
    );
    write_folder(folder, "detector", &export_multi_scale::person(network, size), size, origin, &section)
}

fn write_folder(
    folder: &Path,
    kind: &str,
    graph: &[u8],
    size: &MultiScaleSize,
    origin: &str,
    section: &str,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or(kind);
    let ImageInput { mean, std, outside, .. } = image_input(size.picture());
    let file = format!("{name}.onnx");
    write(&folder.join(&file), graph)?;
    let contract = format!(
        "name: {name}\nkind: {kind}\nfile: {file}\nsha256: {}\nlicence: Apache-2.0\norigin: {origin:?}\n\
         input:\n  name: image\n  element_type: f32\n  layout: nchw\n  colour: rgb\n  width_px: {}\n  height_px: {}\n  \
         placement: centre\n  mean: {mean:?}\n  std: {std:?}\n  outside: {outside}\n{section}",
        hexadecimal(&Sha256::digest(graph)),
        size.width_px,
        size.height_px,
    );
    write(&folder.join(CONTRACT_FILE), contract.as_bytes())
}

/// Writes the reliability curves of raw and calibrated scores into a model folder.
///
/// # Errors
/// When the file cannot be written.
pub fn reliability(folder: &Path, raw: &Calibration, calibrated: &Calibration) -> anyhow::Result<()> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (560, 520)).into_drawing_area();
        draw_reliability(&area, raw, calibrated)
            .map_err(|error| anyhow::anyhow!("cannot draw the reliability curve: {error}"))?;
    }
    write(&folder.join(RELIABILITY_FILE), svg.as_bytes())
}

fn draw_reliability(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    raw: &Calibration,
    calibrated: &Calibration,
) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption("Keypoints within a tenth of the person's longer side", ("sans-serif", 18))
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart.configure_mesh().x_desc("stated").y_desc("true").max_light_lines(1).draw()?;
    chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], BLACK.mix(0.4)))?;
    for (name, calibration, colour) in
        [("raw score", raw, RGBColor(213, 94, 0)), ("calibrated", calibrated, RGBColor(0, 114, 178))]
    {
        let points: Vec<(f64, f64)> =
            calibration.bins.iter().filter_map(|bin| Some((bin.mean_confidence?, bin.hit_share?))).collect();
        let label = format!("{name}, expected error {:.3}", calibration.expected_error);
        chart
            .draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?
            .label(label)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], colour.stroke_width(2)));
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK)
        .draw()?;
    area.present()?;
    Ok(())
}
