//! How much memory a private server may use.

use std::fs;

/// The machine's memory, or the limit of its control group when that is less, in bytes.
pub fn available() -> u64 {
    let info = rustix::system::sysinfo();
    // The widths of these fields differ between platforms.
    #[allow(clippy::unnecessary_cast)]
    let machine = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit));
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    machine.min(limit.unwrap_or(u64::MAX))
}

/// Postgres' `shared_buffers` in megabytes: an eighth of the memory, between 128 MB and 2 GB. With more of it, an import's
/// rows and index pages are written once a checkpoint instead of several times.
pub fn shared_buffers(memory: u64) -> u64 {
    (memory / 8 / (1 << 20)).clamp(128, 2_048)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_buffers_are_an_eighth_of_the_memory_within_bounds() {
        let gigabyte = 1 << 30;
        for (memory, megabytes) in [(0, 128), (gigabyte / 2, 128), (4 * gigabyte, 512), (64 * gigabyte, 2_048)] {
            assert_eq!(shared_buffers(memory), megabytes, "{memory}");
        }
        assert!(available() > 0);
    }
}
