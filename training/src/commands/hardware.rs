//! What a training run computes on.

use stridepose_train::hardware::{Hardware, HardwareChoice};

#[derive(clap::Args)]
pub struct HardwareArguments {
    /// What to train on: a GPU where there is one, the CPU, or a GPU or nothing.
    #[arg(long, value_enum, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// Threads; 0 for one a core.
    #[arg(long, default_value_t = 0)]
    workers: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceChoice {
    Auto,
    Cpu,
    Gpu,
}

impl HardwareArguments {
    /// Chooses and says what was chosen.
    ///
    /// # Errors
    /// When a GPU is asked for that is not there.
    pub fn choose(&self) -> anyhow::Result<Hardware> {
        let choice = match self.device {
            DeviceChoice::Auto => HardwareChoice::Auto,
            DeviceChoice::Cpu => HardwareChoice::Cpu,
            DeviceChoice::Gpu => HardwareChoice::Gpu,
        };
        let hardware = Hardware::choose(choice, self.workers)?;
        stridepose_train::say!("{hardware}");
        Ok(hardware)
    }
}
