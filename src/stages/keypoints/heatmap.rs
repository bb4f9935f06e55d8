//! Keypoints from heatmaps (HRNet, ViTPose, SimpleBaseline): a map for each keypoint, its highest cell refined to a part
//! of a cell.
//!
//! * **Quarter**: a quarter of a cell towards the higher neighbour along each axis (Newell et al. 2016).
//! * **DARK** (Zhang et al. 2020, arXiv 1910.06278): the map is smoothed with a Gaussian, and its logarithm's second-order
//!   Taylor expansion around the highest cell has its maximum at −H⁻¹ g. Differences as in MMPose: gradient over two cells,
//!   Hessian over four. Where the expansion has no maximum within two cells, or is too near to the edge, the quarter is used.
//!
//! The score is the highest value. The spread is the peak's standard deviation less that of the training target (and of
//! the smoothing): what is left of a map that is the mean of targets wherever the network believes the keypoint to be.
//! DARK takes it from −H⁻¹, the quarter from the second moment within three standard deviations of the target.

use super::{keypoint, mean};
use crate::data::{Keypoint, PersonKeypoints};
use crate::model::{HeatmapAlignment, HeatmapDecode, HeatmapRefinement};
use crate::skeleton::KeypointLayout;
use crate::stages::crop::Crop;

/// Logarithms are taken of nothing less, as in MMPose.
const LEAST_VALUE: f32 = 1e-10;
/// Width of the patch around the highest cell that the expansion needs.
const PATCH: usize = 5;
/// Cells that the expansion may move the highest cell: as far as its patch reaches.
const FARTHEST_STEP: f32 = 2.0;

/// Decodes one person's heatmaps, `[keypoints, rows, columns]`. A map with a value that is not finite, or without a
/// positive one, is a keypoint that was not found. The person's score is the mean over the keypoints.
pub fn decode_heatmap(output: &[f32], decode: &HeatmapDecode, layout: KeypointLayout, crop: &Crop) -> PersonKeypoints {
    let cells = |pixels: usize| (pixels / decode.heatmap_stride_px.max(1)).max(1);
    let (columns, rows) = (cells(crop.output.width_px), cells(crop.output.height_px));
    let blur = match decode.refine {
        HeatmapRefinement::Dark { kernel } => Some(Blur::new(kernel)),
        HeatmapRefinement::Quarter => None,
    };
    let found: Vec<Option<Keypoint>> = output
        .chunks_exact(columns * rows)
        .map(|values| Map { values, columns, rows }.keypoint(decode, blur.as_ref(), crop))
        .collect();
    let score = mean(found.iter().map(|keypoint| keypoint.map_or(0.0, |keypoint| keypoint.score)));
    PersonKeypoints { keypoints: layout.to_internal(&found), score }
}

/// One keypoint's heatmap, row by row.
struct Map<'a> {
    values: &'a [f32],
    columns: usize,
    rows: usize,
}

/// Where the peak is and how wide, in cells.
struct Peak {
    x: f32,
    y: f32,
    /// Mean variance of the two axes, the smoothing's taken off.
    variance: f32,
}

impl Map<'_> {
    fn keypoint(&self, decode: &HeatmapDecode, blur: Option<&Blur>, crop: &Crop) -> Option<Keypoint> {
        let (column, row) = self.highest()?;
        let score = self.values[row * self.columns + column];
        let peak = blur
            .and_then(|blur| self.dark(column, row, blur))
            .unwrap_or_else(|| self.quarter(column, row, decode.target_sigma));
        let (across, down) = (crop.output.width_px, crop.output.height_px);
        let x = Axis::new(decode, across, self.columns);
        let y = Axis::new(decode, down, self.rows);
        let spread_in_cells = (peak.variance - decode.target_sigma * decode.target_sigma).max(0.0).sqrt();
        let spread = spread_in_cells * 0.5 * (x.step + y.step) * crop.scale as f32;
        let found = keypoint(x.pixel(peak.x), y.pixel(peak.y), score, crop)?;
        Some(Keypoint { spread: spread.is_finite().then_some(spread), ..found })
    }

    /// The highest cell (column, row), the first of several; `None` unless all are finite and that one is positive.
    fn highest(&self) -> Option<(usize, usize)> {
        const LANES: usize = 8;
        let (mut highest, mut zeros) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let mut take = |chunk: &[f32]| {
            for ((highest, zero), &value) in highest.iter_mut().zip(&mut zeros).zip(chunk) {
                *highest = if value > *highest { value } else { *highest };
                // Stays zero as long as all are finite.
                *zero += value * 0.0;
            }
        };
        let chunks = self.values.chunks_exact(LANES);
        take(chunks.remainder());
        chunks.for_each(take);
        let peak = highest.iter().copied().fold(0.0, f32::max);
        if peak <= 0.0 || zeros.iter().any(|zero| zero.is_nan()) {
            return None;
        }
        let index = self.values.iter().position(|&value| value == peak)?;
        Some((index % self.columns, index / self.columns))
    }

    fn at(&self, column: i64, row: i64) -> f32 {
        let is_inside = (0..self.columns as i64).contains(&column) && (0..self.rows as i64).contains(&row);
        if is_inside { self.values[row as usize * self.columns + column as usize] } else { 0.0 }
    }

    fn quarter(&self, column: usize, row: usize, target_sigma: f32) -> Peak {
        let step = |index: usize, size: usize, before: f32, after: f32| {
            let has_both = index > 0 && index + 1 < size;
            if !has_both || before == after { 0.0 } else { 0.25 * (after - before).signum() }
        };
        let (x, y) = (column as i64, row as i64);
        let x_step = step(column, self.columns, self.at(x - 1, y), self.at(x + 1, y));
        let y_step = step(row, self.rows, self.at(x, y - 1), self.at(x, y + 1));
        let reach = (3.0 * target_sigma).ceil().clamp(2.0, 30.0) as i64;
        let (mut weight, mut sum, mut squares) = (0.0, [0.0; 2], 0.0);
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let value = self.at(x + dx, y + dy).max(0.0);
                let (dx, dy) = (dx as f32, dy as f32);
                weight += value;
                sum[0] += value * dx;
                sum[1] += value * dy;
                squares += value * (dx * dx + dy * dy);
            }
        }
        let (mean_x, mean_y) = (sum[0] / weight, sum[1] / weight);
        let variance = 0.5 * (squares / weight - mean_x * mean_x - mean_y * mean_y);
        Peak { x: column as f32 + x_step, y: row as f32 + y_step, variance }
    }

    fn dark(&self, column: usize, row: usize, blur: &Blur) -> Option<Peak> {
        let has_patch = |index: usize, size: usize| index >= 2 && index + 2 < size;
        if !has_patch(column, self.columns) || !has_patch(row, self.rows) {
            return None;
        }
        let patch = blur.patch(self, column, row).map(|row| row.map(|value| value.max(LEAST_VALUE).ln()));
        let at = |dx: i64, dy: i64| patch[(2 + dy) as usize][(2 + dx) as usize];
        let gradient = [0.5 * (at(1, 0) - at(-1, 0)), 0.5 * (at(0, 1) - at(0, -1))];
        let xx = 0.25 * (at(2, 0) - 2.0 * at(0, 0) + at(-2, 0));
        let yy = 0.25 * (at(0, 2) - 2.0 * at(0, 0) + at(0, -2));
        let xy = 0.25 * (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1));
        let determinant = xx * yy - xy * xy;
        if !(xx < 0.0 && determinant > 0.0) {
            return None;
        }
        let dx = -(yy * gradient[0] - xy * gradient[1]) / determinant;
        let dy = -(xx * gradient[1] - xy * gradient[0]) / determinant;
        let variance = -0.5 * (xx + yy) / determinant - blur.sigma * blur.sigma;
        (dx.abs().max(dy.abs()) <= FARTHEST_STEP).then_some(Peak {
            x: column as f32 + dx,
            y: row as f32 + dy,
            variance,
        })
    }
}

/// A sampled Gaussian, as OpenCV chooses it for a kernel size.
struct Blur {
    weights: Vec<f32>,
    sigma: f32,
}

impl Blur {
    fn new(kernel: usize) -> Self {
        let reach = (kernel / 2) as f32;
        let sigma = 0.3 * (reach - 1.0) + 0.8;
        let weights: Vec<f32> =
            (0..=2 * (kernel / 2)).map(|tap| (-0.5 * ((tap as f32 - reach) / sigma).powi(2)).exp()).collect();
        let sum: f32 = weights.iter().sum();
        Self { weights: weights.iter().map(|weight| weight / sum).collect(), sigma }
    }

    /// The smoothed map around a cell; zero is what lies outside the map.
    fn patch(&self, map: &Map<'_>, column: usize, row: usize) -> [[f32; PATCH]; PATCH] {
        let reach = (self.weights.len() / 2) as i64;
        let middle = (PATCH / 2) as i64;
        let mut patch = [[0.0; PATCH]; PATCH];
        for dy in -middle - reach..=middle + reach {
            let along_row: [f32; PATCH] = std::array::from_fn(|at| {
                let first = column as i64 + at as i64 - middle - reach;
                self.weights
                    .iter()
                    .enumerate()
                    .map(|(tap, weight)| weight * map.at(first + tap as i64, row as i64 + dy))
                    .sum()
            });
            for (at, sums) in patch.iter_mut().enumerate() {
                let tap = dy + middle + reach - at as i64;
                if let Some(weight) = usize::try_from(tap).ok().and_then(|tap| self.weights.get(tap)) {
                    for (sum, value) in sums.iter_mut().zip(along_row) {
                        *sum += weight * value;
                    }
                }
            }
        }
        patch
    }
}

/// From cells to pixels of the crop along one axis.
struct Axis {
    /// Crop px of the first cell's centre.
    first: f32,
    /// Crop px from one cell to the next.
    step: f32,
}

impl Axis {
    fn new(decode: &HeatmapDecode, pixels: usize, cells: usize) -> Self {
        let step = pixels as f32 / cells as f32;
        match decode.alignment {
            HeatmapAlignment::FirstPixel => Self { first: 0.0, step },
            HeatmapAlignment::Corners if cells > 1 => {
                Self { first: 0.0, step: (pixels as f32 - 1.0) / (cells as f32 - 1.0) }
            }
            HeatmapAlignment::Corners | HeatmapAlignment::Cells => Self { first: 0.5 * step - 0.5, step },
        }
    }

    fn pixel(&self, cell: f32) -> f32 {
        self.first + cell * self.step
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nalgebra::Point2;

    use super::*;
    use crate::model::PictureSize;
    use crate::skeleton::Joint;

    const COLUMNS: usize = 48;
    const ROWS: usize = 64;
    const DARK: HeatmapRefinement = HeatmapRefinement::Dark { kernel: 11 };

    fn crop() -> Crop {
        let output = PictureSize { width_px: 192, height_px: 256 };
        Crop { center_in_image_px: Point2::new(95.5, 127.5), scale: 1.0, angle: 0.0, output }
    }

    fn contract(refine: HeatmapRefinement, alignment: HeatmapAlignment) -> HeatmapDecode {
        HeatmapDecode { output: "o".to_owned(), heatmap_stride_px: 4, alignment, refine, target_sigma: 2.0 }
    }

    /// Seventeen maps of which the right wrist's has a Gaussian at (x, y) cells.
    fn maps(x: f32, y: f32, sigma: f32) -> Vec<f32> {
        let mut maps = vec![0.0; 17 * COLUMNS * ROWS];
        for (index, value) in maps[10 * COLUMNS * ROWS..11 * COLUMNS * ROWS].iter_mut().enumerate() {
            let (dx, dy) = ((index % COLUMNS) as f32 - x, (index / COLUMNS) as f32 - y);
            *value = 0.8 * (-0.5 * (dx * dx + dy * dy) / (sigma * sigma)).exp();
        }
        maps
    }

    fn wrist(maps: &[f32], decode: &HeatmapDecode) -> Option<Keypoint> {
        decode_heatmap(maps, decode, KeypointLayout::Coco17, &crop()).keypoints[Joint::RWrist.index()]
    }

    #[test]
    fn dark_finds_a_gaussian_to_a_hundredth_of_a_cell_with_its_width() {
        for (x, y) in [(20.3, 30.7), (20.0, 31.5), (9.9, 50.1)] {
            let found = wrist(&maps(x, y, 3.0), &contract(DARK, HeatmapAlignment::FirstPixel)).unwrap();
            assert!((found.x - 4.0 * x).abs() < 0.04 && (found.y - 4.0 * y).abs() < 0.04, "({x}, {y}): {found:?}");
            // Wider than the target of 2 cells by sqrt(9 - 4), in px of a stride of 4.
            let spread = 4.0 * 5.0_f32.sqrt();
            assert!((found.spread.unwrap() - spread).abs() < 0.1 * spread, "{found:?} instead of {spread}");
        }
    }

    #[test]
    fn the_quarter_goes_to_the_higher_neighbour() {
        let quarter = contract(HeatmapRefinement::Quarter, HeatmapAlignment::FirstPixel);
        let found = wrist(&maps(20.3, 30.7, 2.0), &quarter).unwrap();
        assert!((found.x - 81.0).abs() < 1e-4 && (found.y - 123.0).abs() < 1e-4, "{found:?}");
        assert!(found.spread.unwrap() < 2.0, "as wide as the target: {found:?}");
        let found = wrist(&maps(20.0, 30.0, 2.0), &quarter).unwrap();
        assert!((found.x - 80.0).abs() < 1e-4 && (found.y - 120.0).abs() < 1e-4, "between equals it stays: {found:?}");
    }

    #[test]
    fn the_alignment_says_where_cells_lie() {
        for (alignment, x, y) in [
            (HeatmapAlignment::FirstPixel, 80.0, 160.0),
            (HeatmapAlignment::Corners, 20.0 * 191.0 / 47.0, 40.0 * 255.0 / 63.0),
            (HeatmapAlignment::Cells, 81.5, 161.5),
        ] {
            let found = wrist(&maps(20.0, 40.0, 2.0), &contract(DARK, alignment)).unwrap();
            assert!((found.x - x).abs() < 1e-3 && (found.y - y).abs() < 1e-3, "{alignment:?}: {found:?}");
        }
    }

    #[test]
    fn what_is_not_finite_or_not_positive_is_not_seen() {
        for refine in [DARK, HeatmapRefinement::Quarter] {
            let decode = contract(refine, HeatmapAlignment::FirstPixel);
            for bad in [f32::NAN, f32::INFINITY] {
                let mut maps = maps(20.0, 30.0, 2.0);
                maps[10 * COLUMNS * ROWS + 5] = bad;
                assert_eq!(wrist(&maps, &decode), None);
            }
            for level in [0.0, -1.0] {
                let person =
                    decode_heatmap(&vec![level; 17 * COLUMNS * ROWS], &decode, KeypointLayout::Coco17, &crop());
                assert!(person.keypoints.iter().all(Option::is_none) && person.score == 0.0);
            }
            assert!(decode_heatmap(&[], &decode, KeypointLayout::Coco17, &crop()).score == 0.0);
        }
    }

    #[test]
    fn peaks_at_the_edge_and_flat_maps_have_an_answer() {
        let decode = contract(DARK, HeatmapAlignment::FirstPixel);
        for (x, y) in [(0.0, 0.0), (47.0, 63.0), (1.0, 30.0), (46.0, 62.0)] {
            let found = wrist(&maps(x, y, 2.0), &decode).unwrap();
            assert!((found.x - 4.0 * x).abs() <= 4.0 && (found.y - 4.0 * y).abs() <= 4.0, "({x}, {y}): {found:?}");
        }
        let person = decode_heatmap(&vec![0.5; 17 * COLUMNS * ROWS], &decode, KeypointLayout::Coco17, &crop());
        assert!(person.keypoints.iter().flatten().all(|found| found.x.is_finite() && found.y.is_finite()));
    }
}
