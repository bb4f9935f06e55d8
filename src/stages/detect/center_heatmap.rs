//! CenterNet (Zhou, Wang and Krähenbühl 2019, *Objects as Points*, arXiv 1904.07850) and its like: a map of where the middles of
//! boxes are, and for each cell the box that would have its middle there.
//!
//! A cell is a box's middle where it is not lower than its eight neighbours (the 3 × 3 maximum pooling of the paper, which
//! stands for non-maximum suppression). With stride s, cell (column, row) with offset (x, y) and size (w, h): centre =
//! (column + x, row + y) s, size = (w, h) s, in letterbox px whose first pixel has its left edge at 0. Boxes that still
//! overlap are thinned as every detector's are.

use super::{DetectSettings, centred, on_image, suppress};
use crate::data::Detection;
use crate::stages::crop::Crop;

/// Decodes CenterNet. `heatmap` is `[rows, columns]`, probabilities; `size` is `[2, rows, columns]`, width and height in cells;
/// `offset` is `[2, rows, columns]`, x and y of the middle from the cell's corner, in cells. Values that are not finite are
/// no detection. Boxes come in image px, clipped to the image, by falling score.
pub fn decode_center_heatmap(
    heatmap: &[f32],
    size: &[f32],
    offset: &[f32],
    stride_px: usize,
    letterbox: &Crop,
    image_size: (u32, u32),
    settings: &DetectSettings,
) -> Vec<Detection> {
    let stride_px = stride_px.max(1);
    let (columns, rows) = (letterbox.output.width_px / stride_px, letterbox.output.height_px / stride_px);
    let cells = columns * rows;
    if cells == 0 || heatmap.len() != cells || size.len() != 2 * cells || offset.len() != 2 * cells {
        return Vec::new();
    }
    let stride = stride_px as f32;
    let mut found = Vec::new();
    for (row, line) in heatmap.chunks_exact(columns).enumerate() {
        for (column, &score) in line.iter().enumerate() {
            // False for NaN as well.
            if !(score >= settings.score_threshold) || !is_peak(heatmap, columns, rows, column, row) {
                continue;
            }
            let cell = row * columns + column;
            let x = (column as f32 + offset[cell]) * stride;
            let y = (row as f32 + offset[cells + cell]) * stride;
            let corners = centred(x, y, size[cell] * stride, size[cells + cell] * stride);
            found.extend(on_image(corners, score, letterbox, image_size));
        }
    }
    suppress(found, |detection| detection, settings)
}

/// Whether no neighbour is higher.
fn is_peak(heatmap: &[f32], columns: usize, rows: usize, column: usize, row: usize) -> bool {
    let own = heatmap[row * columns + column];
    (row.saturating_sub(1)..(row + 2).min(rows)).all(|y| {
        let line = &heatmap[y * columns..(y + 1) * columns];
        line[column.saturating_sub(1)..(column + 2).min(columns)].iter().all(|value| !(*value > own))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PictureSize, Placement};

    const SETTINGS: DetectSettings = DetectSettings { score_threshold: 0.4, nms_iou: 0.45, max_people: 10 };

    /// A letterbox of 64 x 32 px with a stride of 4 of an image twice as large.
    fn decode(peaks: &[(usize, usize, f32)], size: (f32, f32), offset: (f32, f32)) -> Vec<Detection> {
        let mut heatmap = vec![0.0; 16 * 8];
        for &(column, row, score) in peaks {
            heatmap[row * 16 + column] = score;
        }
        let planes = |(x, y): (f32, f32)| [vec![x; 128], vec![y; 128]].concat();
        let output = PictureSize { width_px: 64, height_px: 32 };
        let letterbox = Crop::letterbox((128, 64), output, Placement::Centre);
        decode_center_heatmap(&heatmap, &planes(size), &planes(offset), 4, &letterbox, (128, 64), &SETTINGS)
    }

    #[test]
    fn a_peak_becomes_a_box_in_the_image() {
        // Centre ((5 + 0.5) 4, (3 + 0.25) 4) = (22, 13), size 12 x 16 px: 16 to 28 and 5 to 21, twice that in the image.
        let found = decode(&[(5, 3, 0.9)], (3.0, 4.0), (0.5, 0.25));
        assert_eq!(found.len(), 1);
        let bbox = found[0].bbox_in_image_px;
        for (value, expected) in [(bbox.x_min, 31.5), (bbox.x_max, 55.5), (bbox.y_min, 9.5), (bbox.y_max, 41.5)] {
            assert!((value - expected).abs() < 1e-3, "{bbox:?}");
        }
        assert!((found[0].score - 0.9).abs() < 1e-6);
    }

    #[test]
    fn only_peaks_count_and_equal_neighbours_are_thinned() {
        let size = (2.0, 2.0);
        let lower = decode(&[(5, 3, 0.9), (6, 4, 0.8), (9, 3, 0.7)], size, (0.5, 0.5));
        assert_eq!(lower.iter().map(|found| found.score).collect::<Vec<_>>(), [0.9, 0.7]);
        assert_eq!(decode(&[(5, 3, 0.9), (6, 3, 0.9)], (4.0, 4.0), (0.5, 0.5)).len(), 1);
        assert!(decode(&[(5, 3, 0.3)], size, (0.5, 0.5)).is_empty(), "under the threshold");
    }

    #[test]
    fn what_is_not_finite_is_no_detection() {
        let nan = f32::NAN;
        assert!(decode(&[(5, 3, nan), (0, 0, 0.1)], (2.0, 2.0), (0.5, 0.5)).is_empty());
        assert!(decode(&[(5, 3, 0.9)], (nan, 2.0), (0.5, 0.5)).is_empty());
        assert!(decode(&[(5, 3, 0.9)], (2.0, 2.0), (f32::INFINITY, 0.5)).is_empty());
        let letterbox = Crop::letterbox((128, 64), PictureSize::square(64), Placement::Centre);
        assert!(decode_center_heatmap(&[], &[], &[], 4, &letterbox, (128, 64), &SETTINGS).is_empty());
    }
}
