//! The heatmap and SimCC decoders against MMPose; see `tests/goldens/heatmaps.py`, where the tolerances and their reasons are.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use nalgebra::Point2;
use serde::Deserialize;
use stridepose::data::PersonKeypoints;
use stridepose::model::{HeatmapAlignment, HeatmapDecode, HeatmapRefinement, PictureSize};
use stridepose::skeleton::{Joint, KeypointLayout};
use stridepose::stages::crop::Crop;
use stridepose::stages::keypoints::{decode_heatmap, decode_simcc};

#[derive(Deserialize)]
struct Golden {
    center: [f64; 2],
    scale: f64,
    heatmaps: Vec<HeatmapCase>,
    simcc: SimccCase,
}

#[derive(Deserialize)]
struct HeatmapCase {
    method: String,
    kernel: usize,
    alignment: HeatmapAlignment,
    sigma: f32,
    size: [usize; 2],
    /// Of each keypoint: amplitude, x, y, sigma along and across, angle.
    peaks: Vec<Vec<[f64; 6]>>,
    tolerance_in_crop_px: f64,
    xy: Vec<[f64; 2]>,
    scores: Vec<f32>,
}

#[derive(Deserialize)]
struct SimccCase {
    size: [usize; 2],
    ratio: f64,
    x_peaks: Vec<[f64; 3]>,
    y_peaks: Vec<[f64; 3]>,
    nowhere: usize,
    xy: Vec<[f64; 2]>,
    scores: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("goldens/heatmaps.json")).unwrap()
}

impl Golden {
    fn crop(&self, [width_px, height_px]: [usize; 2]) -> Crop {
        let center_in_image_px = Point2::new(self.center[0], self.center[1]);
        Crop { center_in_image_px, scale: self.scale, angle: 0.0, output: PictureSize { width_px, height_px } }
    }
}

fn maps(columns: usize, rows: usize, peaks: &[Vec<[f64; 6]>]) -> Vec<f32> {
    let mut values = Vec::new();
    for (index, components) in peaks.iter().enumerate() {
        for row in 0..rows {
            for column in 0..columns {
                let ripple = 0.01 * (1.3 * column as f64 + 2.1 * row as f64 + index as f64).sin();
                let sum: f64 = components
                    .iter()
                    .map(|&[amplitude, x, y, sigma_x, sigma_y, angle]| {
                        let (dx, dy) = (column as f64 - x, row as f64 - y);
                        let (sin, cos) = angle.sin_cos();
                        let (along, across) = ((cos * dx + sin * dy) / sigma_x, (cos * dy - sin * dx) / sigma_y);
                        amplitude * (-0.5 * (along * along + across * across)).exp()
                    })
                    .sum();
                values.push((sum + ripple) as f32);
            }
        }
    }
    values
}

fn farthest(person: &PersonKeypoints, xy: &[[f64; 2]], scores: &[f32], nowhere: Option<usize>) -> f64 {
    let mut farthest = 0.0_f64;
    for joint in Joint::ALL {
        let found = person.keypoints[joint.index()];
        let Some(index) = KeypointLayout::Coco17.index_of(joint).filter(|index| Some(*index) != nowhere) else {
            assert_eq!(found, None, "{joint:?}");
            continue;
        };
        let found = found.unwrap();
        farthest = farthest.max((f64::from(found.x) - xy[index][0]).hypot(f64::from(found.y) - xy[index][1]));
        // Overlapping Gaussians reach over 1, scores do not.
        let score = scores[index].min(1.0);
        assert!((found.score - score).abs() < 1e-5, "{joint:?}: {} against {score}", found.score);
    }
    farthest
}

#[test]
fn heatmaps_are_decoded_as_mmpose_does() {
    let golden = golden();
    for case in &golden.heatmaps {
        let [width, height] = case.size;
        let refine = match case.method.as_str() {
            "quarter" => HeatmapRefinement::Quarter,
            _ => HeatmapRefinement::Dark { kernel: case.kernel },
        };
        let decode = HeatmapDecode {
            output: String::new(),
            heatmap_stride_px: 4,
            alignment: case.alignment,
            refine,
            target_sigma: case.sigma,
        };
        let maps = maps(width / 4, height / 4, &case.peaks);
        let crop = golden.crop(case.size);
        let person = decode_heatmap(&maps, &decode, KeypointLayout::Coco17, &crop);
        let apart = farthest(&person, &case.xy, &case.scores, None) / golden.scale;
        assert!(apart < case.tolerance_in_crop_px, "{} {:?}: {apart} crop px", case.method, case.alignment);
        // With another alignment the answers are elsewhere: the tolerance tells them apart.
        for other in [HeatmapAlignment::FirstPixel, HeatmapAlignment::Corners, HeatmapAlignment::Cells] {
            let person = decode_heatmap(
                &maps,
                &HeatmapDecode { alignment: other, ..decode.clone() },
                KeypointLayout::Coco17,
                &crop,
            );
            let apart = farthest(&person, &case.xy, &case.scores, None) / golden.scale;
            assert_eq!(apart < case.tolerance_in_crop_px, other == case.alignment, "{other:?}: {apart} crop px");
        }
    }
}

#[test]
fn simcc_is_decoded_as_mmpose_does() {
    let golden = golden();
    let case = &golden.simcc;
    let bins = |pixels: usize| (pixels as f64 * case.ratio) as usize;
    let vectors = |bins: usize, peaks: &[[f64; 3]]| -> Vec<f32> {
        let value = |bin: f64, &[amplitude, x, sigma]: &[f64; 3]| {
            amplitude * (-0.5 * ((bin - x) / sigma).powi(2)).exp() + 0.02 * (0.7 * bin + x).sin()
        };
        peaks.iter().flat_map(|peak| (0..bins).map(move |bin| value(bin as f64, peak) as f32)).collect()
    };
    let mut x = vectors(bins(case.size[0]), &case.x_peaks);
    for value in &mut x[case.nowhere * bins(case.size[0])..(case.nowhere + 1) * bins(case.size[0])] {
        *value -= 0.1;
    }
    let y = vectors(bins(case.size[1]), &case.y_peaks);
    let person = decode_simcc(&x, &y, case.ratio, KeypointLayout::Coco17, &golden.crop(case.size));
    let apart = farthest(&person, &case.xy, &case.scores, Some(case.nowhere));
    assert!(apart < 1e-3, "{apart} px");
    assert!(case.scores[case.nowhere] <= 0.0, "MMPose does not see it either");
}
