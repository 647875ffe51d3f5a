//! What the system says of memory, in bytes; `None` where it does not say.

/// What can be had without swapping.
pub fn available() -> Option<u64> {
    field("/proc/meminfo", "MemAvailable:")
}

/// What this process holds at present, mapped files included.
pub fn resident() -> Option<u64> {
    field("/proc/self/status", "VmRSS:")
}

/// The most that this process held at any time, mapped files included.
pub fn peak() -> Option<u64> {
    field("/proc/self/status", "VmHWM:").or_else(peak_by_usage)
}

/// A line such as `VmHWM:   1234 kB` of a file that Linux has.
fn field(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Linux tells it in its own way, above: there this figure includes what the process was before it became this program.
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
