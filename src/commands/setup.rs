//! Parameters and models: the arguments of every command that runs the pipeline.

use std::fs;
use std::path::PathBuf;

use super::Refused;
use crate::adapters::model_store::ModelStore;
use crate::config::{Config, Origin};

/// Parameters and models.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SetupArgs {
    /// Parameter file in the format of ROS 2
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// One parameter, e.g. -p detector.interval:=5; may be given many times
    #[arg(long = "parameter", short, value_name = "NAME:=VALUE")]
    pub parameters: Vec<String>,

    /// Folder with networks: loose .onnx files, or folders with a model.yaml; may be given many times
    #[arg(long, value_name = "DIR")]
    pub models: Vec<PathBuf>,
}

impl SetupArgs {
    /// Reads and checks the parameters.
    ///
    /// # Errors
    /// [`Refused`] for a file that cannot be read or a parameter that is wrong.
    pub fn config(&self) -> anyhow::Result<Config> {
        let read = |path: &PathBuf| {
            fs::read_to_string(path).map_err(|error| Refused::because(format!("{}: {error}", path.display())))
        };
        let text = self.config.as_ref().map(read).transpose()?;
        Config::from_sources(text.as_deref(), &self.parameters).map_err(|error| match &self.config {
            Some(path) if error.origin == Origin::File => {
                Refused::because(format!("{}: {}", path.display(), error.problem))
            }
            _ => Refused::because(error),
        })
    }

    /// The places to look for models.
    ///
    /// # Errors
    /// [`Refused`] for a folder that is not there.
    pub fn store(&self) -> anyhow::Result<ModelStore> {
        ModelStore::new(&self.models).map_err(Refused::because)
    }
}
