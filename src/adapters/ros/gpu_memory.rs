//! Memory that this process holds on NVIDIA GPUs, as `nvidia-smi` tells it; nothing where there is none.

use std::process::Command;

const ARGUMENTS: [&str; 2] = ["--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"];

/// Bytes in use by the process `pid`; `None` where there is no `nvidia-smi` or it does not know the process.
pub fn of_process(pid: u32) -> Option<u64> {
    let output = Command::new("nvidia-smi").args(ARGUMENTS).output().ok()?;
    parse(&String::from_utf8_lossy(&output.stdout), pid)
}

/// Lines `pid, MiB`, one for each process and GPU.
fn parse(text: &str, pid: u32) -> Option<u64> {
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
        assert_eq!(parse(text, 12), Some(324 << 20));
        assert_eq!(parse(text, 8), None);
        assert_eq!(parse("", 12), None);
    }
}
