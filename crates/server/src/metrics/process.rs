//! What the system says of this process. Reads `/proc`; what cannot be read is left out.

use std::fs;

use super::text::Exposition;

/// Ticks of the processor's time in a second, as Linux shows it to programs on every machine.
const TICKS: f64 = 100.0;

pub(super) fn collect(text: &mut Exposition) {
    if let Some(bytes) = resident_bytes() {
        text.gauge("process_resident_memory_bytes", "Resident memory.", bytes);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // One of them is this very listing.
        text.gauge(
            "process_open_fds",
            "Open file descriptors.",
            entries.count().saturating_sub(1),
        );
    }
    if let Some(most) = most_descriptors() {
        text.gauge("process_max_fds", "File descriptors that may be open.", most);
    }
    if let Some(seconds) = cpu_seconds() {
        text.counter("process_cpu_seconds_total", "Time of the processor.", seconds);
    }
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn most_descriptors() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let field = |number: usize| -> Option<f64> { fields.split_whitespace().nth(number - 3)?.parse().ok() };
    Some((field(14)? + field(15)?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_there() {
        assert!(resident_bytes().unwrap() > 100_000);
        assert!(most_descriptors().unwrap() > 3);
        assert!(cpu_seconds().unwrap() >= 0.0);
        let mut text = Exposition::default();
        collect(&mut text);
        assert!(text.into_text().contains("\nprocess_open_fds "));
    }
}
