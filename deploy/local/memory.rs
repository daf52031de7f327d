//! What memory there is for a server that we start.

use std::fs;

/// In bytes: the machine's, or what its control group may use of it.
pub fn available() -> u64 {
    let info = rustix::system::sysinfo();
    // Kernel words of the platform's own widths.
    #[allow(clippy::unnecessary_cast)]
    let machine = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit));
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    machine.min(limit.unwrap_or(u64::MAX))
}

/// Of Postgres' shared buffers, in megabytes: an eighth of the memory, between 128 MB and 2 GB. More of an import's rows and
/// index pages then stay where they are until a checkpoint writes them.
pub fn shared_buffers(memory: u64) -> u64 {
    (memory / 8 / (1 << 20)).clamp(128, 2_048)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_an_eighth_of_the_memory_within_bounds() {
        let gigabyte = 1 << 30;
        for (memory, megabytes) in [(0, 128), (gigabyte / 2, 128), (4 * gigabyte, 512), (64 * gigabyte, 2_048)] {
            assert_eq!(shared_buffers(memory), megabytes, "{memory}");
        }
        assert!(available() > 0);
    }
}
