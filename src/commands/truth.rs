//! What a result is compared with: `--truth` in each of its forms, and the options that say what a form does not.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tracing::warn;

use super::evaluate::refuse_result;
use super::replay::SUMMARY_FILE;
use super::{Refused, refuse_bag};
use crate::adapters::bag::{Bag, BagError, Completeness};
use crate::adapters::known_camera::KnownCamera;
use crate::adapters::messages::sensor_msgs::CameraInfo;
use crate::adapters::messages::stridepose::SkeletonArray;
use crate::adapters::messages::{Message, from_cdr};
use crate::adapters::result_bag::{ResultBag, read_result_bag, truth_from_result};
use crate::adapters::truth::array::{Meaning, TruthArray, Unit, foreign_unit, truth_of_array};
use crate::adapters::truth::camera::{CameraFile, difference};
use crate::adapters::truth::csv::read_truth_csv;
use crate::adapters::truth::json::read_truth_json;
use crate::adapters::truth::npy::read_truth_npy;
use crate::adapters::truth::tf::{FrameChoice, has_transforms, parse_mapping, read_truth_tf};
use crate::data::Stamp;
use crate::geometry::CameraModel;
use crate::geometry::camera::Intrinsics;
use crate::metrics::{JointPositions, TruthSequence};
use crate::skeleton::DatasetLayout;

/// Ends of the names of truth files in a folder of truths, in the order in which they are looked for.
pub const TRUTH_ENDINGS: [&str; 5] = [".csv", ".mcap", ".json", ".npy", ".npz"];

/// What the truth does not say itself: shared by the commands that compare with one.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub struct TruthArgs {
    /// Topic of the skeletons in a truth bag [default: /stridepose/skeletons, or the only one]
    #[arg(long, value_name = "TOPIC")]
    pub truth_topic: Option<String>,
    /// Leave out lines of a truth CSV whose `reprojection_px` is larger
    #[arg(long, value_name = "PX", value_parser = reprojection_px)]
    pub max_truth_reprojection: Option<f64>,
    /// Order of the joints of a truth in .npy or .npz: `h36m_17` or `mpi_inf_3dhp_17`
    #[arg(long, value_name = "LAYOUT", value_parser = layout)]
    pub truth_layout: Option<DatasetLayout>,
    /// Unit of a truth in .npy or .npz: m or mm
    #[arg(long, value_name = "UNIT", value_parser = unit)]
    pub truth_unit: Option<Unit>,
    /// Which array of a truth in .npz [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub truth_array: Option<String>,
    /// Camera of a truth in .npy, .npz or .json: a JSON file with `extrinsics` where the joints are in the world, and
    /// `intrinsics` to compare [default: NAME.camera.json beside the truth NAME.*, where there is one]
    #[arg(long, value_name = "FILE")]
    pub truth_camera: Option<PathBuf>,
    /// The truth is a bag whose TF frames, or topics of PoseStamped, are joints: a YAML file with lines `joint: frame` or
    /// `joint: /topic`, or `person: {joint: frame, ...}`
    #[arg(long, value_name = "FILE")]
    pub truth_frames: Option<PathBuf>,
    /// The truth is a bag whose TF frames are joints as `node.publish_tf` names them, with this prefix [default for a bag
    /// without skeletons: any prefix]
    #[arg(long, value_name = "PREFIX", conflicts_with = "truth_frames")]
    pub truth_tf_prefix: Option<String>,
}

fn reprojection_px(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if value.is_finite() && value >= 0.0 { Ok(value) } else { Err("must be a number of pixels".to_owned()) }
}

fn layout(text: &str) -> Result<DatasetLayout, String> {
    let known = || format!("known are {}", DatasetLayout::ALL.map(DatasetLayout::name).join(" and "));
    DatasetLayout::from_name(text).ok_or_else(known)
}

fn unit(text: &str) -> Result<Unit, String> {
    Unit::from_name(text).ok_or_else(|| "must be m or mm".to_owned())
}

/// In which form a truth is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Csv,
    Json,
    Numpy,
    Skeletons,
    Transforms,
}

impl Form {
    const fn in_words(self) -> &'static str {
        match self {
            Self::Csv => "a CSV file",
            Self::Json => "a JSON file",
            Self::Numpy => "a NumPy file",
            Self::Skeletons => "a bag with skeletons",
            Self::Transforms => "a bag with transforms",
        }
    }
}

impl TruthArgs {
    /// Each option that is given, with its value, for people.
    pub fn named(&self) -> Vec<(&'static str, String)> {
        let path = |path: &PathBuf| path.display().to_string();
        let topic = self.truth_topic.clone().unwrap_or_else(|| "chosen by type".to_owned());
        let limit = |limit: f64| format!("{limit} px");
        let reprojection = self.max_truth_reprojection.map_or_else(|| "any".to_owned(), limit);
        let mut named = vec![("truth topic", topic), ("largest reprojection of the truth", reprojection)];
        let more = [
            ("truth layout", self.truth_layout.map(|layout| layout.name().to_owned())),
            ("truth unit", self.truth_unit.map(|unit| unit.name().to_owned())),
            ("truth array", self.truth_array.clone()),
            ("truth camera", self.truth_camera.as_ref().map(path)),
            ("truth frames", self.truth_frames.as_ref().map(path)),
            ("truth TF prefix", self.truth_tf_prefix.clone()),
        ];
        named.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
        named
    }

    fn form(&self, path: &Path) -> anyhow::Result<Form> {
        if is_bag(path) {
            if self.truth_frames.is_some() || self.truth_tf_prefix.is_some() {
                return Ok(Form::Transforms);
            }
            let bag = Bag::open(path).map_err(refuse_bag)?;
            let has_skeletons = bag.topics().iter().any(|topic| topic.type_name == SkeletonArray::TYPE);
            return Ok(if !has_skeletons && has_transforms(&bag) { Form::Transforms } else { Form::Skeletons });
        }
        Ok(match extension(path).as_str() {
            "json" => Form::Json,
            "npy" | "npz" => Form::Numpy,
            _ => Form::Csv,
        })
    }

    /// An option that the form has no use for is a mistake of whoever gave it.
    fn check_use(&self, path: &Path, form: Form) -> anyhow::Result<()> {
        use Form::{Csv, Json, Numpy, Skeletons, Transforms};
        let arrays = "a truth in .npy or .npz";
        let options: [(&str, bool, &[Form], &str); 8] = [
            ("--truth-topic", self.truth_topic.is_some(), &[Skeletons], "a truth in a bag with skeletons"),
            (
                "--max-truth-reprojection",
                self.max_truth_reprojection.is_some(),
                &[Csv],
                "a truth in CSV with the column reprojection_px",
            ),
            ("--truth-layout", self.truth_layout.is_some(), &[Numpy], arrays),
            ("--truth-unit", self.truth_unit.is_some(), &[Numpy], arrays),
            ("--truth-array", self.truth_array.is_some(), &[Numpy], "a truth in .npz"),
            ("--truth-camera", self.truth_camera.is_some(), &[Numpy, Json], "a truth in .npy, .npz or .json"),
            ("--truth-frames", self.truth_frames.is_some(), &[Transforms], "a bag with transforms"),
            ("--truth-tf-prefix", self.truth_tf_prefix.is_some(), &[Transforms], "a bag with transforms"),
        ];
        match options.iter().find(|(_, is_given, forms, _)| *is_given && !forms.contains(&form)) {
            Some((option, _, _, what)) => {
                Err(Refused::because(format!("{option} is for {what}; {} is {}", path.display(), form.in_words())))
            }
            None => Ok(()),
        }
    }

    /// The camera in a file of its own.
    fn camera(&self, path: &Path) -> anyhow::Result<Option<CameraFile>> {
        let beside = path.with_extension("camera.json");
        let file = self.truth_camera.clone().or_else(|| beside.exists().then_some(beside));
        let camera = file.map(|file| CameraFile::read(&file)).transpose();
        camera.map_err(|error| Refused::because(format!("{}: {error}", path.display())))
    }
}

/// A truth from any source.
pub(super) struct Truth {
    pub sequence: TruthSequence,
    pub frames: BTreeSet<String>,
    pub problems: Vec<String>,
    pub completeness: Completeness,
    pub left_out: usize,
}

impl From<TruthSequence> for Truth {
    /// In the camera's frame, with nothing lost.
    fn from(sequence: TruthSequence) -> Self {
        let (frames, problems, completeness) = (BTreeSet::new(), Vec::new(), Completeness::Whole);
        Self { sequence, frames, problems, completeness, left_out: 0 }
    }
}

/// Reads the truth at `path` for `result`, which lies at `result_path`.
///
/// # Errors
/// A refusal when it cannot be used.
pub(super) fn read_truth(
    path: &Path,
    args: &TruthArgs,
    result: &ResultBag,
    result_path: &Path,
) -> anyhow::Result<Truth> {
    if !path.exists() {
        return Err(Refused::because(format!("the truth {} does not exist", path.display())));
    }
    let form = args.form(path)?;
    args.check_use(path, form)?;
    let refuse = |error: &dyn std::fmt::Display| Refused::because(format!("{}: {error}", path.display()));
    let array = match form {
        Form::Csv => {
            let csv = read_truth_csv(path, args.max_truth_reprojection).map_err(|error| refuse(&error))?;
            let poses: Vec<JointPositions> = csv.truth.images.values().flatten().map(|person| person.joints).collect();
            if let Some((bone, length, unit)) = foreign_unit(&poses) {
                return Err(refuse(&format!(
                    "a {bone} of {length:.1} m is that of nobody, one of {length:.1} {unit} would be: x_m, y_m and z_m are metres"
                )));
            }
            if !csv.foreign_joints.is_empty() {
                warn!("{}: {csv}", path.display());
            }
            return Ok(Truth { left_out: csv.left_out, ..Truth::from(csv.truth) });
        }
        Form::Skeletons => {
            let ResultBag { sequence, frames, problems, completeness, .. } =
                read_result_bag(path, args.truth_topic.as_deref()).map_err(refuse_result)?;
            return Ok(Truth { sequence: truth_from_result(sequence), frames, problems, completeness, left_out: 0 });
        }
        Form::Transforms => return read_transforms(path, args, result),
        Form::Json => read_truth_json(path, args.camera(path)?.as_ref()).map_err(|error| refuse(&error))?,
        Form::Numpy => read_numpy(path, args)?,
    };
    for note in &array.notes {
        warn!("{}: {note}", path.display());
    }
    if let Some(intrinsics) = &array.camera.intrinsics {
        match intrinsics_of_recording(result_path) {
            Some(of_recording) => {
                if let Some(difference) = difference(intrinsics, &of_recording) {
                    warn!("{}: {difference}", path.display());
                }
            }
            None => warn!(
                "{}: its intrinsics could not be compared: {} does not tell those of its camera",
                path.display(),
                result_path.display()
            ),
        }
    }
    Ok(Truth::from(array.truth))
}

fn read_numpy(path: &Path, args: &TruthArgs) -> anyhow::Result<TruthArray> {
    let (Some(layout), Some(unit)) = (args.truth_layout, args.truth_unit) else {
        let layouts = DatasetLayout::ALL.map(DatasetLayout::name).join(" or ");
        return Err(Refused::because(format!(
            "{} does not say what its numbers are: give --truth-layout {layouts} and --truth-unit m or mm",
            path.display()
        )));
    };
    let camera = args.camera(path)?.unwrap_or_default();
    let read = || {
        let camera = camera.checked(unit)?;
        let file = read_truth_npy(path, args.truth_array.as_deref())?;
        let meaning = Meaning { layout, unit, camera, stamps_ns: file.stamps_ns, persons: None, action: None };
        truth_of_array(&file.array, meaning)
    };
    read().map_err(|error| Refused::because(format!("{}: {error}", path.display())))
}

fn read_transforms(path: &Path, args: &TruthArgs, result: &ResultBag) -> anyhow::Result<Truth> {
    let frames: Vec<&String> = result.frames.iter().collect();
    let [camera_frame] = frames.as_slice() else {
        return Err(Refused::because(format!(
            "the result is in {} frames; transforms need the one of its camera",
            frames.len()
        )));
    };
    let mapping = match &args.truth_frames {
        Some(file) => {
            let refuse = |error: &dyn std::fmt::Display| Refused::because(format!("{}: {error}", file.display()));
            let text = std::fs::read_to_string(file).map_err(|error| refuse(&error))?;
            Some(parse_mapping(&text).map_err(|error| refuse(&error))?)
        }
        None => None,
    };
    let choice = match &mapping {
        Some(people) => FrameChoice::Named(people),
        None => FrameChoice::Published { prefix: args.truth_tf_prefix.as_deref() },
    };
    let stamps: Vec<Stamp> = match &result.image_stamps {
        Some(stamps) => stamps.clone(),
        None => result.sequence.images.iter().map(|image| image.stamp).collect(),
    };
    let read = read_truth_tf(path, choice, camera_frame, &stamps)
        .map_err(|error| Refused::because(format!("{}: {error}", path.display())))?;
    for note in &read.notes {
        warn!("{}: {note}", path.display());
    }
    let (problems, completeness) = (read.problems, read.completeness);
    Ok(Truth { problems, completeness, frames: result.frames.clone(), ..Truth::from(read.truth) })
}

/// The intrinsics of the camera that a result is of: from the summary of its replay, or a `CameraInfo` in it.
fn intrinsics_of_recording(result: &Path) -> Option<Intrinsics> {
    let folder = if result.is_dir() { Some(result) } else { result.parent() };
    let text = std::fs::read_to_string(folder?.join(SUMMARY_FILE)).ok();
    let summary = text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let number = |key: &str| summary.as_ref()?["camera"][key].as_f64();
    if let (Some(fx), Some(fy), Some(cx), Some(cy)) = (number("fx"), number("fy"), number("cx"), number("cy")) {
        return Some(Intrinsics { fx, fy, cx, cy });
    }
    let mut bag = Bag::open(result).ok()?;
    let topic = bag.topics().iter().find(|topic| topic.type_name == CameraInfo::TYPE)?.name.clone();
    let mut camera = KnownCamera::default();
    let read = bag.read::<BagError>(&[topic], &mut |message| {
        let is_known = from_cdr::<CameraInfo>(message.data).is_ok_and(|info| camera.of(&info).is_ok());
        Ok(if is_known { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    read.ok()?;
    camera.last().map(CameraModel::intrinsics)
}

/// Directories and what is called like a file of a bag.
pub(super) fn is_bag(path: &Path) -> bool {
    path.is_dir() || ["mcap", "db3", "zstd"].contains(&extension(path).as_str())
}

fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}
