//! `stridepose-train detector`, `export-detector` and `measure-detector`.

use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork};
use stridepose::config::Provider;
use stridepose::model::ModelTask;
use stridepose::stages::people::DetectorStage;
use stridepose_train::mocap::Split;
use stridepose_train::multi_scale::MultiScaleSize;
use stridepose_train::person_score::{self, Detections, Measured, Verdict};
use stridepose_train::person_task::PersonTask;
use stridepose_train::pictures::PictureSampler;
use stridepose_train::{export_model, model_folder, picture_curves, picture_train};

use super::picture_measure::{AnyNetworkArguments, MeasuredNetwork, PictureMeasureArguments, progress};
use super::picture_run::PictureRunArguments;
use super::values;

#[derive(clap::Args)]
pub struct DetectorArguments {
    #[command(flatten)]
    run: PictureRunArguments,
    /// Pictures a step.
    #[arg(long, default_value_t = 16, value_parser = values::at_least_one::<usize>)]
    samples: usize,
    /// Peak learning rate.
    #[arg(long, default_value_t = 1.5e-3, value_parser = values::positive)]
    learning_rate: f64,
}

#[derive(clap::Args)]
pub struct DetectorExportArguments {
    #[command(flatten)]
    measure: PictureMeasureArguments,
    /// Pictures of the measurement.
    #[arg(long, default_value_t = 1000, value_parser = values::at_least_one::<usize>)]
    pictures: usize,
}

#[derive(clap::Args)]
pub struct DetectorMeasureArguments {
    #[command(flatten)]
    network: AnyNetworkArguments,
    /// Pictures of the measurement.
    #[arg(long, default_value_t = 1000, value_parser = values::at_least_one::<usize>)]
    pictures: usize,
}

/// Seed of the pictures that the figures come from.
const MEASURED: u64 = 0x3003;
/// False people a picture at which recall is stated.
const FALSE_PEOPLE: f64 = 0.01;

/// Trains a person detector; it may start from another one or from a small keypoint network.
pub fn detector(arguments: &DetectorArguments) -> anyhow::Result<()> {
    let size = MultiScaleSize::person();
    let clips = arguments.run.clips()?;
    let task = PersonTask {
        source: arguments.run.source(&clips)?,
        picture: size.picture(),
        start_from: arguments.run.start_from.clone(),
    };
    picture_train::train(&arguments.run.settings(size, arguments.samples, arguments.learning_rate)?, &task)?;
    Ok(())
}

/// Measures a network, and writes its model folder.
pub fn detector_export(arguments: &DetectorExportArguments) -> anyhow::Result<()> {
    let MeasuredNetwork { network, size, output } = arguments.measure.network()?;
    let clips = arguments.measure.clips()?;
    let source = arguments.measure.source(&clips)?;
    let found = person_score::find(&network, &size, &source, arguments.pictures, MEASURED);
    let recall = say(&found);
    let Some((output, state)) = output else { return Ok(()) };
    anyhow::ensure!(
        found.everybody.truths > 0,
        "--pictures {}: nobody is in them, so that the recall of the model is not known; give more",
        arguments.pictures
    );
    let origin = format!(
        "stridepose-train detector, {} steps, {:.0} minutes{}, rendered people alone; recall {recall:.3} at 0.01 false people a picture",
        state.step,
        state.secs / 60.0,
        arguments.measure.mix_in_words()
    );
    model_folder::replace(&output, |folder| {
        export_model::person(folder, &network, &size, &origin)?;
        picture_curves::write(&arguments.measure.run, folder)
    })
}

/// Measures anybody's detector on the pictures that this project's own is measured on.
pub fn detector_measure(arguments: &DetectorMeasureArguments) -> anyhow::Result<()> {
    let clips = arguments.network.clips()?;
    let source = PictureSampler::new(&clips, Split::Validation)?;
    let model = arguments.network.load()?;
    let ModelTask::Detector(contract) = model.contract.task.clone() else {
        anyhow::bail!("{} is no detector: name one that finds people", arguments.network.model)
    };
    let settings = EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 };
    let mut stage = DetectorStage::new(contract, Box::new(OnnxNetwork::load(&model, &settings)?));
    let bar = progress(arguments.pictures)?;
    let found = person_score::find_with(&mut stage, &source, arguments.pictures, MEASURED, || bar.inc(1))?;
    bar.finish_and_clear();
    say(&found);
    Ok(())
}

/// Says how good it is, and gives the recall of everybody at [`FALSE_PEOPLE`].
fn say(found: &Measured) -> f64 {
    let recall = say_of(&found.everybody, "people");
    for threshold in [0.2, 0.3, 0.4, 0.5, 0.6] {
        let (recall, wrong) = found.everybody.at(threshold);
        stridepose_train::say!("score {threshold}: recall {recall:.3}, {wrong:.3} false people a picture");
    }
    say_of(&found.plain, "people in plain view");
    recall
}

fn say_of(found: &Detections, whom: &str) -> f64 {
    if found.truths == 0 {
        stridepose_train::say!("{} pictures, no {whom}: nothing was measured", found.pictures);
        return 0.0;
    }
    let (threshold, recall) = found.recall_at(FALSE_PEOPLE);
    let count = |verdict| found.count(threshold, verdict);
    stridepose_train::say!(
        "{} pictures, {} {whom}: recall {recall:.3} at one false person per 100 pictures (score {threshold:.2}: {} beside \
         somebody, {} twice, {} where nobody is), AP50 {:.3}",
        found.pictures,
        found.truths,
        count(Verdict::Beside),
        count(Verdict::Twice),
        count(Verdict::Nobody),
        found.average_precision()
    );
    recall
}
