//! What scenes are drawn from: motion capture and a detector's errors.

use std::path::{Path, PathBuf};

use stridepose_train::bvh_clip::{BvhSettings, UpAxis};
use stridepose_train::mocap::{self, Clip, Mocap};
use stridepose_train::noise::DetectorNoise;

use super::values;

#[derive(clap::Args)]
pub struct DataArguments {
    /// Who moves.
    #[command(flatten)]
    pub mocap: MocapArguments,
    /// Error statistics of a 2D detector (`detection_noise.json`).
    #[arg(long)]
    noise: PathBuf,
}

/// Motion capture, and how its BVH files are read.
#[derive(clap::Args)]
pub struct MocapArguments {
    /// Folder with motion capture: mocap17.npy and mocap17.csv, BVH files (with split.csv if wanted), or both.
    #[arg(long)]
    mocap: PathBuf,
    /// Metres per unit of the BVH files; found out from the legs if left out.
    #[arg(long, value_parser = values::positive)]
    bvh_scale: Option<f64>,
    /// Up axis of the BVH files; found out from the body if left out.
    #[arg(long, value_enum)]
    bvh_up: Option<Up>,
    /// Names of joints in the BVH files (YAML); CMU, Mixamo, LaFAN1 and Biovision names are built in.
    #[arg(long)]
    bvh_joints: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Up {
    Y,
    Z,
}

impl DataArguments {
    /// Motion capture and detector.
    pub fn load(&self) -> anyhow::Result<(Vec<Clip>, DetectorNoise)> {
        let noise = DetectorNoise::load(&self.noise)?;
        Ok((self.mocap.load()?, noise))
    }
}

impl MocapArguments {
    /// The clips; says what was read.
    pub fn load(&self) -> anyhow::Result<Vec<Clip>> {
        Ok(told(mocap::load(&self.mocap, &self.bvh())?))
    }

    /// The clips of another folder, whose BVH files are read in the same way; one split is enough.
    pub fn load_any_split(&self, folder: &Path) -> anyhow::Result<Vec<Clip>> {
        Ok(told(mocap::load_any_split(folder, &self.bvh())?))
    }

    fn bvh(&self) -> BvhSettings {
        let up = self.bvh_up.map(|up| match up {
            Up::Y => UpAxis::Y,
            Up::Z => UpAxis::Z,
        });
        BvhSettings { metres_per_unit: self.bvh_scale, up, joints: self.bvh_joints.clone() }
    }
}

fn told(mocap: Mocap) -> Vec<Clip> {
    mocap.summary.iter().for_each(|line| stridepose_train::say!("{line}"));
    mocap.warnings.iter().for_each(|warning| eprintln!("{warning}"));
    mocap.clips
}
