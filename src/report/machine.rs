//! The machine that measured: numbers of speed mean nothing without it. What the system does not tell is absent.

use std::fs;

use serde::{Deserialize, Serialize};

/// Processor, memory and system.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Machine {
    /// Name of the processor.
    pub processor: Option<String>,
    /// Cores this program may use.
    pub cores: Option<usize>,
    /// Memory, GiB.
    pub memory_gib: Option<f64>,
    /// Operating system and processor architecture.
    pub system: String,
}

impl Machine {
    /// The machine this runs on.
    pub fn here() -> Self {
        let value_of = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let kibibytes = value_of(&read("/proc/meminfo"), "MemTotal")
            .and_then(|value| value.split_whitespace().next()?.parse::<f64>().ok());
        Self {
            processor: value_of(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().ok().map(usize::from),
            memory_gib: kibibytes.map(|kibibytes| (kibibytes / 1_048_576.0 * 10.0).round() / 10.0),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_core_and_a_system() {
        let machine = Machine::here();
        assert!(machine.cores.is_some_and(|cores| cores > 0) && !machine.system.trim().is_empty());
        assert!(machine.memory_gib.is_none_or(|memory| memory > 0.0));
    }
}
