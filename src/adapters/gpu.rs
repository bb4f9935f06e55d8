//! What `nvidia-smi` tells of NVIDIA GPUs; nothing where there is none.

use std::process::Command;
use std::sync::OnceLock;

const MEMORY: [&str; 2] = ["--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"];
const NAME: [&str; 2] = ["--query-gpu=name,driver_version", "--format=csv,noheader"];

/// Bytes of GPU memory that the process `pid` holds; `None` where nobody knows.
pub fn memory_of_process(pid: u32) -> Option<u64> {
    memory(&ask(&MEMORY)?, pid)
}

/// Name of the first GPU and version of its driver, e.g. `NVIDIA H100 80GB HBM3, 550.54.15`; `None` where there is none.
/// Asked once.
pub fn name() -> Option<&'static str> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    FOUND.get_or_init(|| first_line(&ask(&NAME)?)).as_deref()
}

fn ask(arguments: &[&str]) -> Option<String> {
    let output = Command::new("nvidia-smi").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn first_line(text: &str) -> Option<String> {
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Lines `pid, MiB`, one for each process and GPU.
fn memory(text: &str, pid: u32) -> Option<u64> {
    let of_line = |line: &str| {
        let (found, mebibytes) = line.split_once(',')?;
        (found.trim().parse() == Ok(pid)).then(|| mebibytes.trim().parse::<u64>().ok()).flatten()
    };
    text.lines().filter_map(of_line).reduce(u64::saturating_add).map(|mebibytes| mebibytes << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_on_all_gpus_is_added_up_and_others_do_not_count() {
        let text = "12, 300\n7, 100\n12, 24\ngarbage\n12, [N/A]\n";
        assert_eq!(memory(text, 12), Some(324 << 20));
        assert_eq!(memory(text, 8), None);
        assert_eq!(memory("", 12), None);
    }

    #[test]
    fn the_first_gpu_is_named_and_an_empty_answer_is_none() {
        assert_eq!(first_line("NVIDIA L4, 550.1\nNVIDIA T4, 550.1\n").as_deref(), Some("NVIDIA L4, 550.1"));
        assert_eq!(first_line("\n"), None);
        assert_eq!(first_line(""), None);
    }
}
