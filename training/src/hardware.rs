//! What training computes on: the cores of the CPU, or a GPU of any maker, by WebGPU shaders over Vulkan (feature `gpu`).
//!
//! What is drawn is drawn on the CPU either way, and so is all that is measured and exported. On the CPU a batch is learnt in
//! parts that fit a core's cache; a GPU gets all of it at once, for it is quick with much and slow with many.

use std::fmt;

use anyhow::Context;
use burn::prelude::*;

use crate::workers::Workers;

/// Samples of a part of a batch on the CPU: few enough for what a level reads and writes to stay in a core's cache.
const CPU_PART_SAMPLES: usize = 1536;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HardwareChoice {
    /// A GPU where there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU or nothing. A driver that computes on the CPU counts too, for who wants to try it.
    Gpu,
}

/// A device, and the threads that work for it.
#[derive(Clone, Debug)]
pub struct Hardware {
    device: Device,
    workers: usize,
    /// Name of the GPU; absent on the CPU.
    gpu: Option<String>,
    /// Why it is not what one would wish for.
    reason: Option<String>,
}

impl Hardware {
    /// The CPU with `workers` threads; one for each core for 0.
    pub fn cpu(workers: usize) -> Self {
        Self { device: Device::flex(), workers, gpu: None, reason: None }
    }

    /// What `choice` comes to on this machine, with `workers` threads; one for each core for 0.
    ///
    /// # Errors
    /// When a GPU is asked for and there is none, or this program was built without.
    pub fn choose(choice: HardwareChoice, workers: usize) -> anyhow::Result<Self> {
        match choice {
            HardwareChoice::Cpu => Ok(Self::cpu(workers)),
            HardwareChoice::Auto | HardwareChoice::Gpu => Self::among(gpus(), choice, workers),
        }
    }

    fn among(gpus: Result<Vec<Gpu>, String>, choice: HardwareChoice, workers: usize) -> anyhow::Result<Self> {
        let is_wanted = choice == HardwareChoice::Gpu;
        let gpus = match gpus {
            Ok(gpus) => gpus,
            Err(reason) if is_wanted => anyhow::bail!("no GPU: {reason}"),
            Err(reason) => return Ok(Self { reason: Some(reason), ..Self::cpu(workers) }),
        };
        let named: Vec<&str> = gpus.iter().map(|gpu| gpu.name.as_str()).collect();
        let none = if named.is_empty() {
            "none is found (is its Vulkan driver installed?)".to_owned()
        } else {
            format!("there is only {}, which computes on the CPU", named.join(", "))
        };
        let on = |gpu: &Gpu, reason| Self { device: gpu.device.clone(), workers, gpu: Some(gpu.name.clone()), reason };
        match gpus.iter().find(|gpu| gpu.is_card) {
            Some(gpu) => Ok(on(gpu, None)),
            None if is_wanted => {
                let gpu = gpus.first().with_context(|| format!("no GPU: {none}"))?;
                Ok(on(gpu, Some("computes on the CPU, slowly: for trying out alone".to_owned())))
            }
            None => Ok(Self { reason: Some(format!("no GPU: {none}")), ..Self::cpu(workers) }),
        }
    }

    /// Whether it is a GPU.
    pub const fn is_gpu(&self) -> bool {
        self.gpu.is_some()
    }

    /// The device.
    pub(crate) const fn device(&self) -> &Device {
        &self.device
    }

    /// Samples of a part of a batch.
    pub(crate) const fn part_samples(&self) -> usize {
        if self.is_gpu() { usize::MAX } else { CPU_PART_SAMPLES }
    }

    /// Threads, each of which does its part of the work alone.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn threads(&self) -> anyhow::Result<Workers> {
        Workers::apart(self.workers)
    }

    /// The threads for parts of [`Self::part_samples`]: each takes one on the CPU, all draw the one of a GPU together.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn workers(&self) -> anyhow::Result<Workers> {
        if self.is_gpu() { Workers::together(self.workers) } else { self.threads() }
    }
}

impl fmt::Display for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.gpu, self.workers) {
            (Some(gpu), _) => write!(f, "training on {gpu}")?,
            (None, 0) => f.write_str("training on the CPU, all cores")?,
            (None, workers) => write!(f, "training on the CPU, {workers} threads")?,
        }
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

/// A device that the graphics drivers have.
struct Gpu {
    name: String,
    /// Whether there is a card behind it; false for drivers that compute on the CPU.
    is_card: bool,
    device: Device,
}

/// The devices that the graphics drivers have, or why they cannot be asked for.
#[cfg(feature = "gpu")]
fn gpus() -> Result<Vec<Gpu>, String> {
    use burn::tensor::DeviceType;
    // A driver that is broken makes the library panic.
    let asked = std::panic::catch_unwind(|| {
        let devices = Device::enumerate(DeviceType::Wgpu).into_vec();
        let gpu = |device: Device| {
            let identity = device.identity()?;
            Some(Gpu { name: identity.name, is_card: identity.physical.is_some(), device })
        };
        devices.into_iter().filter_map(gpu).collect()
    });
    asked.map_err(|_| "the graphics driver fails".to_owned())
}

#[cfg(not(feature = "gpu"))]
fn gpus() -> Result<Vec<Gpu>, String> {
    Err("built without GPU support; with it: cargo build --release -p stridepose-train --features gpu".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn gpu(name: &str, is_card: bool) -> Gpu {
        Gpu { name: name.to_owned(), is_card, device: Device::flex() }
    }

    fn chosen(gpus: Vec<Gpu>, choice: HardwareChoice) -> anyhow::Result<Hardware> {
        Hardware::among(Ok(gpus), choice, 2)
    }

    #[test]
    fn a_card_is_taken_before_a_driver_that_computes_on_the_cpu() {
        for choice in [HardwareChoice::Auto, HardwareChoice::Gpu] {
            let hardware = chosen(vec![gpu("llvmpipe", false), gpu("H200", true)], choice).unwrap();
            assert_eq!(hardware.to_string(), "training on H200");
            assert!(hardware.is_gpu());
        }
    }

    #[test]
    fn without_a_card_the_cpu_is_taken_and_says_why() {
        let hardware = chosen(vec![gpu("llvmpipe", false)], HardwareChoice::Auto).unwrap();
        assert!(!hardware.is_gpu());
        let said = hardware.to_string();
        assert!(said.contains("the CPU, 2 threads") && said.contains("only llvmpipe"), "{said}");
        let said = chosen(Vec::new(), HardwareChoice::Auto).unwrap().to_string();
        assert!(said.contains("driver installed"), "{said}");
    }

    #[test]
    fn who_asks_for_a_gpu_gets_one_or_an_error() {
        let slow = chosen(vec![gpu("llvmpipe", false)], HardwareChoice::Gpu).unwrap();
        assert!(slow.is_gpu() && slow.to_string().contains("slowly"), "{slow}");
        let error = chosen(Vec::new(), HardwareChoice::Gpu).unwrap_err().to_string();
        assert!(error.contains("driver installed"), "{error}");
        let error = Hardware::among(Err("not built".to_owned()), HardwareChoice::Gpu, 2).unwrap_err().to_string();
        assert_eq!(error, "no GPU: not built");
    }

    #[test]
    #[cfg(not(feature = "gpu"))]
    fn a_build_without_says_how_to_get_one_with() {
        let said = Hardware::choose(HardwareChoice::Auto, 0).unwrap().to_string();
        assert!(said.contains("all cores") && said.contains("--features gpu"), "{said}");
        assert!(Hardware::choose(HardwareChoice::Gpu, 0).is_err());
    }
}
