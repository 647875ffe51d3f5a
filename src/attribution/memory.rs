//! Memory figures of the system, in bytes; `None` where the system gives none.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns what this process may hold in all without swapping, and without meeting a limit of its own or of its group
/// of processes, such as a container's or a job's.
pub fn most() -> Option<u64> {
    let held = resident().unwrap_or(0);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let free = [field("/proc/meminfo", "MemAvailable:"), within_groups(Path::new("/sys/fs/cgroup"), &groups)];
    free.into_iter().flatten().map(|free| free + held).chain(within_limits(held)).min()
}

/// Returns what this process holds at present, mapped files included.
pub fn resident() -> Option<u64> {
    field(STATUS, "VmRSS:")
}

/// Returns the most that this process held at any time, mapped files included.
pub fn peak() -> Option<u64> {
    field(STATUS, "VmHWM:").or_else(peak_by_usage)
}

/// Returns how many addresses the process's own limit (`ulimit -v`) leaves it; `None` where there is no limit.
pub fn addresses_left() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    Some(soft_limit(&limits, "Max address space")?.saturating_sub(field(STATUS, "VmSize:")?))
}

const STATUS: &str = "/proc/self/status";

/// Returns the bytes of a line such as `VmHWM:   1234 kB` of a Linux status file.
fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Returns what this process's own limits (`ulimit -v`, `ulimit -d`) let it hold in all, of which it holds `held`. They
/// count addresses without memory too, and leave out mapped files.
fn within_limits(held: u64) -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let most = |limit, used| {
        let used = field(STATUS, used)?;
        Some(soft_limit(&limits, limit)?.saturating_sub(used) + held.min(used))
    };
    [most("Max address space", "VmSize:"), most("Max data size", "VmData:")].into_iter().flatten().min()
}

/// Returns the soft limit of a line such as `Max data size    1048576    unlimited    bytes`; `None` where unlimited.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// Returns what the control groups leave whose hierarchies are mounted below `root`. `groups` lists the group of this
/// process in each, as `/proc/self/cgroup` does.
fn within_groups(root: &Path, groups: &str) -> Option<u64> {
    let left = groups.lines().filter_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (controllers, group) = line.split_once(':')?;
        let is_memory = controllers.split(',').any(|controller| controller == "memory");
        match controllers {
            "" => least_of_group(&[root.to_owned(), root.join("unified")], group, &["memory.max", "memory.high"]),
            _ if is_memory => least_of_group(&[root.join("memory")], group, &["memory.limit_in_bytes"]),
            _ => None,
        }
    });
    left.min()
}

/// Returns the least that a group and its parents leave. A container may see its own group as the whole hierarchy.
fn least_of_group(mounts: &[PathBuf], group: &str, limits: &[&str]) -> Option<u64> {
    let group = Path::new(group.trim_start_matches('/'));
    let folders = mounts.iter().flat_map(|mount| group.ancestors().map(|part| mount.join(part)));
    let left = folders.filter_map(|folder| {
        let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
        let limit = limits.iter().filter_map(|name| number(name)).min()?;
        let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
        // Files that were read and are not in use give way.
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let cached = |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let cached = cached("total_inactive_file ").or_else(|| cached("inactive_file ")).unwrap_or(0);
        Some(limit.saturating_sub(used.saturating_sub(cached)))
    });
    left.min()
}

/// Returns the peak by `getrusage`. Not for Linux, whose figure includes the process before it became this program.
#[cfg(all(unix, not(target_os = "linux")))]
fn peak_by_usage() -> Option<u64> {
    // SAFETY: an all-zero `rusage` is one, and the call fills it.
    let (outcome, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_SELF, &mut usage), usage)
    };
    // macOS counts bytes, the others count KiB.
    let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    if outcome == 0 { u64::try_from(usage.ru_maxrss).ok().map(|most| most * unit) } else { None }
}

#[cfg(not(all(unix, not(target_os = "linux"))))]
fn peak_by_usage() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_that_holds_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max data size             unlimited            unlimited            bytes     \n\
                      Max address space         409600000            unlimited            bytes     \n";
        assert_eq!(soft_limit(limits, "Max address space"), Some(409_600_000));
        assert_eq!(soft_limit(limits, "Max data size"), None);
        assert_eq!(soft_limit(limits, "Max resident set"), None);
    }

    /// Creates a folder with the files of a group, by folder and name.
    fn hierarchy(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_tightest_group_around_the_process_counts() {
        let root = hierarchy(&[
            ("job/memory.max", "1000\n"),
            ("job/memory.high", "max\n"),
            ("job/memory.current", "700\n"),
            ("job/memory.stat", "anon 400\ninactive_file 300\nactive_file 0\n"),
            ("job/step/memory.max", "max\n"),
            ("job/step/memory.current", "600\n"),
        ]);
        assert_eq!(within_groups(root.path(), "0::/job/step\n"), Some(600));
        assert_eq!(within_groups(root.path(), "0::/other\n"), None);
        // What is used may be more than a limit that was lowered.
        fs::write(root.path().join("job/step/memory.high"), "100").unwrap();
        assert_eq!(within_groups(root.path(), "0::/job/step\n"), Some(0));
    }

    #[test]
    fn a_container_and_the_first_version_are_understood() {
        let own = hierarchy(&[("memory.max", "500"), ("memory.current", "100")]);
        assert_eq!(within_groups(own.path(), "0::/../../somewhere\n"), Some(400));
        let first = hierarchy(&[
            ("memory/job/memory.limit_in_bytes", "900"),
            ("memory/job/memory.usage_in_bytes", "500"),
            ("memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 200\n"),
        ]);
        assert_eq!(within_groups(first.path(), "3:cpu,cpuacct:/job\n2:memory:/job\n0::/\n"), Some(600));
    }
}
