//! What detectors and keypoint networks give, and how it is read: one style for each family of networks.

use serde::Deserialize;

use super::{ImageInput, PictureSize};
use crate::network::{ElementType, TensorSpec};
use crate::skeleton::KeypointLayout;

/// A person detector.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorContract {
    /// The picture.
    pub input: ImageInput,
    /// How the output is read.
    pub decode: DetectorDecode,
}

/// How a detector's output is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "style", rename_all = "snake_case", deny_unknown_fields)]
pub enum DetectorDecode {
    /// `[1, anchors, 5 + classes]`: x, y, log w, log h on the grid of each stride, objectness, classes; person is class 0.
    Yolox {
        /// Name of the output.
        output: String,
        /// Grid strides, px.
        strides: Vec<usize>,
        /// Number of classes.
        classes: usize,
    },
    /// `[1, 4 + classes, anchors]`: centre x, y, width, height in px, classes; person is class 0 (YOLOv8, YOLO11).
    Yolov8 {
        /// Name of the output.
        output: String,
        /// Number of classes.
        classes: usize,
    },
    /// `[1, n, 5]` and `[1, n]`: left, top, right, bottom in px, score; class, person is 0. Thinned in the graph (RTMDet,
    /// MMDeploy).
    Rtmdet {
        /// Name of the output with the boxes.
        boxes: String,
        /// Name of the output with the classes.
        labels: String,
    },
    /// `[1, 1, rows, columns]`: probability that a box has its middle in the cell; `[1, 2, rows, columns]` twice: width and
    /// height, and the middle's x and y from the cell's corner, in cells (CenterNet).
    CenterHeatmap {
        /// Name of the output with the probabilities.
        heatmap: String,
        /// Name of the output with width and height.
        size: String,
        /// Name of the output with the middle's place in the cell.
        offset: String,
        /// Pixels of the picture per cell.
        stride_px: usize,
    },
    /// The boxes of [`KeypointsDecode::YoloPose`].
    YoloPose {
        /// Name of the output.
        output: String,
        /// Number of keypoints.
        keypoints: usize,
    },
    /// The boxes of [`KeypointsDecode::MovenetMultipose`].
    MovenetMultipose {
        /// Name of the output.
        output: String,
    },
}

/// Raw scores at which a contract states the probability: 0, 0.1, … 1.
pub const SCORE_KNOTS: usize = 11;

/// The probability that belongs to a raw score, by interpolation between the knots.
pub fn calibrated_score(confidence: &[f32; SCORE_KNOTS], score: f32) -> f32 {
    let at = score.clamp(0.0, 1.0) * (SCORE_KNOTS - 1) as f32;
    let low = (at as usize).min(SCORE_KNOTS - 2);
    confidence[low] + (confidence[low + 1] - confidence[low]) * (at - low as f32)
}

/// A 2D keypoint network.
#[derive(Clone, Debug, PartialEq)]
pub struct KeypointsContract {
    /// The picture.
    pub input: ImageInput,
    /// Order of the keypoints.
    pub layout: KeypointLayout,
    /// Probability that a keypoint is where it should be, at raw scores that rise evenly from 0 to 1; absent where nobody
    /// measured it: then the raw score is the confidence.
    pub confidence: Option<[f32; SCORE_KNOTS]>,
    /// How the output is read.
    pub decode: KeypointsDecode,
}

impl DetectorContract {
    /// The outputs that the graph must have.
    pub fn outputs(&self) -> Vec<TensorSpec> {
        let PictureSize { width_px, height_px } = self.input.size;
        match &self.decode {
            DetectorDecode::Yolox { output, strides, classes } => {
                let anchors = strides.iter().map(|stride| (width_px / stride) * (height_px / stride)).sum();
                vec![floats(output, &[1, anchors, 5 + classes])]
            }
            DetectorDecode::Yolov8 { output, classes } => vec![open(output, &[Some(1), Some(4 + classes), None])],
            DetectorDecode::Rtmdet { boxes, labels } => vec![
                open(boxes, &[Some(1), None, Some(5)]),
                TensorSpec { element_type: ElementType::I64, ..open(labels, &[Some(1), None]) },
            ],
            DetectorDecode::CenterHeatmap { heatmap, size, offset, stride_px } => {
                let (rows, columns) = (height_px / stride_px, width_px / stride_px);
                [(heatmap, 1), (size, 2), (offset, 2)]
                    .map(|(name, maps)| floats(name, &[1, maps, rows, columns]))
                    .into()
            }
            DetectorDecode::YoloPose { output, keypoints } => vec![yolo_pose(output, *keypoints)],
            DetectorDecode::MovenetMultipose { output } => vec![floats(output, &[1, 6, 56])],
        }
    }

    /// Whether the parts fit each other; the error says what does not.
    pub(super) fn check(&self) -> Result<(), String> {
        let PictureSize { width_px, height_px } = self.input.size;
        let divides =
            |&stride: &usize| stride > 0 && width_px.is_multiple_of(stride) && height_px.is_multiple_of(stride);
        match &self.decode {
            DetectorDecode::Yolox { strides, .. } if strides.is_empty() || !strides.iter().all(divides) => {
                Err(format!("strides {strides:?} must divide the input's {}", self.input.size))
            }
            DetectorDecode::CenterHeatmap { stride_px, .. } if !divides(stride_px) => {
                Err(format!("stride_px {stride_px} must divide the input's {}", self.input.size))
            }
            DetectorDecode::Yolox { classes: 0, .. } | DetectorDecode::Yolov8 { classes: 0, .. } => {
                Err("a detector without classes cannot find people".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// How a keypoint network's output is read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "style", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeypointsDecode {
    /// `[1, 1, 17, 3]`: row, column, score, as fractions of the crop.
    Movenet {
        /// Name of the output.
        output: String,
    },
    /// `[1, 195]`: 39 × (x, y, z, visibility logit, presence logit) in crop px, and a person score.
    Blazepose {
        /// Name of the landmark output.
        landmarks: String,
        /// Name of the person score output.
        presence: String,
    },
    /// `[n, keypoints, rows, columns]`: a map for each keypoint (HRNet, ViTPose, SimpleBaseline).
    Heatmap(HeatmapDecode),
    /// `[n, keypoints, width × ratio]` and `[n, keypoints, height × ratio]`: a vector for each coordinate (RTMPose).
    Simcc {
        /// Name of the output over the columns.
        x: String,
        /// Name of the output over the rows.
        y: String,
        /// Bins a pixel.
        simcc_split_ratio: f64,
    },
    /// `[1, 5 + 3 keypoints, anchors]`: centre x, y, width, height in px, score; x, y in px, score of each keypoint
    /// (YOLOv8-pose, YOLO11-pose). Finds people and their keypoints at once.
    YoloPose {
        /// Name of the output.
        output: String,
    },
    /// `[1, 6, 56]`: 17 × (row, column, score); top, left, bottom, right; score, as fractions of the picture. Finds people
    /// and their keypoints at once.
    MovenetMultipose {
        /// Name of the output.
        output: String,
    },
}

/// How heatmaps are read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatmapDecode {
    /// Name of the output.
    pub output: String,
    /// Pixels of the picture per cell.
    pub heatmap_stride_px: usize,
    /// Where cells lie in the picture.
    pub alignment: HeatmapAlignment,
    /// How the highest cell becomes a place.
    pub refine: HeatmapRefinement,
    /// Standard deviation of the maps that the network was trained on, cells. It is taken off the spread.
    pub target_sigma: f32,
}

/// Which pixel of the picture a cell (column or row i of n) stands for; projects differ. With stride s and N = n s pixels:
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeatmapAlignment {
    /// Pixel i s: the first cell is the first pixel. HRNet, SimpleBaseline, MMPose without UDP.
    FirstPixel,
    /// Pixel i (N − 1) / (n − 1): the first cell is the first pixel, the last the last. UDP (arXiv 1911.07524), ViTPose.
    Corners,
    /// Pixel (i + 1/2) s − 1/2: a cell is the square of pixels it covers.
    Cells,
}

/// How a heatmap's highest cell becomes a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeatmapRefinement {
    /// A quarter of a cell towards the higher neighbour.
    Quarter,
    /// The maximum of the Taylor expansion of the smoothed map's logarithm (arXiv 1910.06278).
    Dark {
        /// Taps of the smoothing Gaussian, odd: 11 where the target's standard deviation is 2 cells, 17 where it is 3.
        kernel: usize,
    },
}

impl KeypointsContract {
    /// The outputs that the graph must have.
    pub fn outputs(&self) -> Vec<TensorSpec> {
        let PictureSize { width_px, height_px } = self.input.size;
        let count = self.layout.keypoint_count();
        match &self.decode {
            KeypointsDecode::Movenet { output } => vec![floats(output, &[1, 1, 17, 3])],
            KeypointsDecode::Blazepose { landmarks, presence } => {
                vec![floats(landmarks, &[1, 195]), floats(presence, &[1, 1])]
            }
            KeypointsDecode::Heatmap(HeatmapDecode { output, heatmap_stride_px: stride, .. }) => {
                vec![floats(output, &[1, count, height_px / stride, width_px / stride])]
            }
            KeypointsDecode::YoloPose { output } => vec![yolo_pose(output, count)],
            KeypointsDecode::MovenetMultipose { output } => vec![floats(output, &[1, 6, 56])],
            KeypointsDecode::Simcc { x, y, simcc_split_ratio } => {
                let bins = |pixels: usize| (pixels as f64 * simcc_split_ratio).round() as usize;
                vec![floats(x, &[1, count, bins(width_px)]), floats(y, &[1, count, bins(height_px)])]
            }
        }
    }

    /// Whether somebody else in the picture misleads the network: those that give one person's coordinates straight away learnt
    /// from pictures of one. Heatmap networks learnt from crops in which others stand around whom the box is about.
    pub const fn is_misled_by_others(&self) -> bool {
        matches!(self.decode, KeypointsDecode::Movenet { .. } | KeypointsDecode::Blazepose { .. })
    }

    /// Whether the parts fit each other; the error says what does not.
    pub(super) fn check(&self) -> Result<(), String> {
        let PictureSize { width_px, height_px } = self.input.size;
        if let Some(confidence) = &self.confidence
            && !(confidence.is_sorted() && confidence.iter().all(|probability| (0.0..=1.0).contains(probability)))
        {
            return Err(format!("keypoints.confidence {confidence:?} must rise and lie between 0 and 1"));
        }
        match &self.decode {
            KeypointsDecode::Movenet { .. } | KeypointsDecode::MovenetMultipose { .. } => {
                self.has_layout(KeypointLayout::Coco17)
            }
            KeypointsDecode::YoloPose { .. } => Ok(()),
            KeypointsDecode::Blazepose { .. } => self.has_layout(KeypointLayout::BlazePose33),
            KeypointsDecode::Heatmap(HeatmapDecode { heatmap_stride_px: stride, refine, target_sigma, .. }) => {
                if *stride == 0 || !width_px.is_multiple_of(*stride) || !height_px.is_multiple_of(*stride) {
                    return Err(format!("heatmap_stride_px {stride} must divide the input's {}", self.input.size));
                }
                if !(0.0..=20.0).contains(target_sigma) {
                    return Err(format!("target_sigma is {target_sigma} cells, must be 0 to 20"));
                }
                match refine {
                    HeatmapRefinement::Dark { kernel } if kernel % 2 == 0 || !(3..=51).contains(kernel) => {
                        Err(format!("the kernel of DARK has {kernel} taps, must be odd and 3 to 51"))
                    }
                    HeatmapRefinement::Dark { .. } | HeatmapRefinement::Quarter => Ok(()),
                }
            }
            KeypointsDecode::Simcc { simcc_split_ratio: ratio, .. } => {
                let is_whole = |pixels: usize| (pixels as f64 * ratio).fract() == 0.0;
                if !((0.25..=16.0).contains(ratio) && is_whole(width_px) && is_whole(height_px)) {
                    return Err(format!(
                        "simcc_split_ratio is {ratio}, must be 0.25 to 16 and give whole bins for the input's {}",
                        self.input.size
                    ));
                }
                Ok(())
            }
        }
    }

    /// Whether the network finds people and their keypoints at once.
    pub const fn is_single_stage(&self) -> bool {
        matches!(self.decode, KeypointsDecode::YoloPose { .. } | KeypointsDecode::MovenetMultipose { .. })
    }

    /// Whether the network says by itself how sure it is of a person, besides the keypoints' scores.
    pub const fn scores_people(&self) -> bool {
        self.is_single_stage() || matches!(self.decode, KeypointsDecode::Blazepose { .. })
    }

    /// The same network as a detector, where it finds people too.
    pub fn as_detector(&self) -> Option<DetectorContract> {
        let decode = match &self.decode {
            KeypointsDecode::YoloPose { output } => {
                DetectorDecode::YoloPose { output: output.clone(), keypoints: self.layout.keypoint_count() }
            }
            KeypointsDecode::MovenetMultipose { output } => DetectorDecode::MovenetMultipose { output: output.clone() },
            _ => return None,
        };
        Some(DetectorContract { input: self.input.clone(), decode })
    }

    fn has_layout(&self, wanted: KeypointLayout) -> Result<(), String> {
        if self.layout == wanted {
            return Ok(());
        }
        Err(format!("keypoints.layout is {}, this style's is {}", self.layout.name(), wanted.name()))
    }
}

fn yolo_pose(output: &str, keypoints: usize) -> TensorSpec {
    open(output, &[Some(1), Some(5 + 3 * keypoints), None])
}

fn open(name: &str, shape: &[Option<usize>]) -> TensorSpec {
    TensorSpec { name: name.to_owned(), element_type: ElementType::F32, shape: shape.to_vec() }
}

fn floats(name: &str, shape: &[usize]) -> TensorSpec {
    let shape = shape.iter().copied().map(Some).collect();
    TensorSpec { name: name.to_owned(), element_type: ElementType::F32, shape }
}
