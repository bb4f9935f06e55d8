//! What a 2D network is measured on.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use stridepose::adapters::model_store::{Model, ModelStore};

use stridepose_train::export::CONTRACT_FILE;
use stridepose_train::mocap::{Clip, Split};
use stridepose_train::multi_scale::{MultiScaleNetwork, MultiScaleSize};
use stridepose_train::picture_trainer::{self, PictureRunState};
use stridepose_train::pictures::{NoClips, PictureSampler};
use stridepose_train::{export_multi_scale, import_multi_scale, mix};

use super::data::MocapArguments;

#[derive(clap::Args)]
pub struct PictureMeasureArguments {
    /// Run of the trainer; or a model folder, which is measured alone.
    pub run: PathBuf,
    /// Who moves in the pictures.
    #[command(flatten)]
    mocap: MocapArguments,
    /// Whose pictures it is measured on: `train` shows what more variety could bring, and writes nothing.
    #[arg(long, value_enum, default_value_t = SplitChoice::Validation)]
    split: SplitChoice,
    /// Model folder to write; nothing is written without one.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Model folder whose weights are mixed in, as those that the run started from: the mean of both is often better.
    #[arg(long, value_name = "FOLDER")]
    mix: Option<PathBuf>,
    /// What these count in the mean, 0 to 1.
    #[arg(long, default_value_t = 0.3, requires = "mix")]
    mix_share: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SplitChoice {
    /// Persons, places and looks that training never saw.
    Validation,
    /// Those that training saw, in other pictures.
    Train,
}

/// Anybody's network, and whose people it is measured on.
#[derive(clap::Args)]
pub struct AnyNetworkArguments {
    /// Name of the model: the folder of its contract.
    pub model: String,
    /// Folder with models: loose .onnx files, or folders with contracts of their own.
    #[arg(long, value_name = "DIR")]
    models: Vec<PathBuf>,
    /// Who moves in the pictures.
    #[command(flatten)]
    mocap: MocapArguments,
}

impl AnyNetworkArguments {
    /// The motion capture.
    pub fn clips(&self) -> anyhow::Result<Vec<Clip>> {
        self.mocap.load()
    }

    /// The model, with the contract that it has.
    pub fn load(&self) -> anyhow::Result<Model> {
        Ok(ModelStore::new(&self.models)?.load(&self.model)?)
    }
}

/// A bar for so many pictures.
pub fn progress(pictures: usize) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{elapsed_precise} [{wide_bar}] {pos}/{len} pictures, {eta} left")?;
    Ok(ProgressBar::new(pictures as u64).with_style(style))
}

/// What is measured.
pub struct MeasuredNetwork {
    /// Weights as a model folder holds them.
    pub network: MultiScaleNetwork,
    /// Sizes.
    pub size: MultiScaleSize,
    /// Where it goes, and how long it was trained.
    pub output: Option<(PathBuf, PictureRunState)>,
}

impl PictureMeasureArguments {
    /// The motion capture.
    pub fn clips(&self) -> anyhow::Result<Vec<Clip>> {
        self.mocap.load()
    }

    /// Rendered pictures of the people asked for.
    pub fn source<'a>(&self, clips: &'a [Clip]) -> Result<PictureSampler<'a>, NoClips> {
        let split = match self.split {
            SplitChoice::Validation => Split::Validation,
            SplitChoice::Train => Split::Train,
        };
        PictureSampler::new(clips, split)
    }

    /// The network.
    ///
    /// # Errors
    /// When there is none, it is damaged, or it is to be written and should not be.
    pub fn network(&self) -> anyhow::Result<MeasuredNetwork> {
        anyhow::ensure!(
            self.output.is_none() || self.split == SplitChoice::Validation,
            "-o: a model is written with the figures of people that training never saw; leave out --split train"
        );
        let (network, size, state) = if self.run.join(CONTRACT_FILE).is_file() {
            anyhow::ensure!(
                self.output.is_none(),
                "-o: {} is a model folder already; name a run of the trainer to write one",
                self.run.display()
            );
            let (network, size) = import_multi_scale::model(&self.run)?;
            (network, size, None)
        } else {
            let (network, state) = picture_trainer::load(&self.run)?;
            stridepose_train::say!("step {}, {:.0} s", state.step, state.secs);
            (network, state.size.clone(), Some(state))
        };
        let network = match &self.mix {
            Some(other) => mix::mixed(network, &size, other, self.mix_share)?,
            None => network,
        };
        let network = export_multi_scale::rounded(&network);
        Ok(MeasuredNetwork { network, size, output: self.output.clone().zip(state) })
    }

    /// What the origin of a written model says of this.
    pub fn mix_in_words(&self) -> String {
        let Some(other) = &self.mix else { return String::new() };
        let name = other.file_name().map_or_else(String::new, |name| name.display().to_string());
        format!(", mixed with {} of {name}", self.mix_share)
    }
}
