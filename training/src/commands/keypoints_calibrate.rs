//! `stridepose-train calibrate-keypoints`.

use std::path::PathBuf;

use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork};
use stridepose::config::Provider;
use stridepose::model::{KeypointsContract, ModelTask};
use stridepose::stages::people::KeypointStage;
use stridepose_train::export_model;
use stridepose_train::keypoint_score::{self, Counted, FoundPerson, TOLERANCE};
use stridepose_train::mocap::Split;
use stridepose_train::pictures::PictureSampler;
use stridepose_train::score_calibration::ScoreCalibration;

use super::keypoints_export::{CALIBRATED, MEASURED};
use super::picture_measure::{AnyNetworkArguments, progress};
use super::values;

#[derive(clap::Args)]
pub struct KeypointsCalibrateArguments {
    #[command(flatten)]
    network: AnyNetworkArguments,
    /// Pictures of the calibration; it is measured on as many others.
    #[arg(long, default_value_t = 300, value_parser = values::at_least_one::<usize>)]
    pictures: usize,
    /// Folder for the reliability curve; none is drawn without one.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

/// Measures what a keypoint model's score is worth on rendered people, and says what its contract should state.
pub fn keypoints_calibrate(arguments: &KeypointsCalibrateArguments) -> anyhow::Result<()> {
    let clips = arguments.network.clips()?;
    let source = PictureSampler::new(&clips, Split::Validation)?;
    let model = arguments.network.load()?;
    let name = &arguments.network.model;
    let ModelTask::Keypoints(contract) = model.contract.task.clone() else {
        anyhow::bail!("{name} finds no keypoints: name a keypoint model")
    };
    anyhow::ensure!(
        !contract.is_single_stage(),
        "{name} finds people and keypoints at once; only networks that take one person's crop are calibrated here"
    );
    let layout = contract.layout;
    let settings = EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 8 };
    let network = OnnxNetwork::load(&model, &settings)?;
    // What the contract states now must not count.
    let mut stage = KeypointStage::new(KeypointsContract { confidence: None, ..contract }, Box::new(network));
    let bar = progress(2 * arguments.pictures)?;
    let mut find = |seed: u64| -> anyhow::Result<Vec<FoundPerson>> {
        Ok(keypoint_score::find_with(&mut stage, &source, arguments.pictures, seed, || bar.inc(1))?)
    };
    let (others, people) = (find(CALIBRATED)?, find(MEASURED)?);
    bar.finish_and_clear();
    let found = ScoreCalibration::of(&keypoint_score::hits(&others), &keypoint_score::hits(&people))?;
    stridepose_train::say!(
        "{} pictures of rendered people, {} people: OKS-AP {:.3}, PCK@{TOLERANCE} {:.3} of the visible joints of {}",
        arguments.pictures,
        people.len(),
        keypoint_score::oks_ap(&people, Counted::Visible, layout),
        keypoint_score::pck(&people, layout),
        layout.name()
    );
    stridepose_train::say!(
        "expected calibration error {:.3} raw, {:.3} calibrated; for the section `keypoints` of {}:\n  confidence: {:.3?}",
        found.raw.expected_error,
        found.calibrated.expected_error,
        model.contract_path.display(),
        found.confidence
    );
    if let Some(output) = &arguments.output {
        std::fs::create_dir_all(output)?;
        export_model::reliability(output, &found.raw, &found.calibrated)?;
        stridepose_train::say!("wrote {}", output.join(export_model::RELIABILITY_FILE).display());
    }
    Ok(())
}
