//! What scenes are drawn from: motion capture and a detector's errors.

use std::path::PathBuf;

use stridepose_train::bvh_clip::{BvhSettings, UpAxis};
use stridepose_train::mocap::{self, Clip};
use stridepose_train::noise::DetectorNoise;

#[derive(clap::Args)]
pub struct DataArguments {
    /// Folder with motion capture: mocap17.npy and mocap17.csv, BVH files (with split.csv if wanted), or both.
    #[arg(long)]
    mocap: PathBuf,
    /// Error statistics of a 2D detector (`detection_noise.json`).
    #[arg(long)]
    noise: PathBuf,
    /// Metres per unit of the BVH files; found out from the legs if left out.
    #[arg(long)]
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
        Ok((mocap::load(&self.mocap, &self.bvh()?)?, DetectorNoise::load(&self.noise)?))
    }

    /// How BVH files are read.
    pub fn bvh(&self) -> anyhow::Result<BvhSettings> {
        let metres_per_unit = self.bvh_scale;
        if let Some(scale) = metres_per_unit {
            anyhow::ensure!(scale > 0.0 && scale.is_finite(), "--bvh-scale {scale}: must be positive");
        }
        let up = self.bvh_up.map(|up| match up {
            Up::Y => UpAxis::Y,
            Up::Z => UpAxis::Z,
        });
        Ok(BvhSettings { metres_per_unit, up, joints: self.bvh_joints.clone() })
    }
}
