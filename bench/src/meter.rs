//! CPU time and memory of processes, and what disks were told, read from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The kernel's unit of CPU time in `/proc`; 100 a second on every platform that Linux has today.
const TICK: Duration = Duration::from_millis(10);

/// CPU time that the process, its threads, its children of today and its ended children have used so far.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let ticks = own_ticks(pid)?;
    let children = children(pid).into_iter().filter_map(|child| own_ticks(child).ok()).sum::<u64>();
    Ok(TICK * u32::try_from(ticks + children).context("CPU time beyond all measure")?)
}

/// CPU time of this process alone, which the measured ones are children of.
pub(crate) fn own_cpu() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let ticks = ticks(&stat, 2).with_context(|| format!("/proc/self/stat: {stat}"))?;
    Ok(TICK * u32::try_from(ticks).context("CPU time beyond all measure")?)
}

/// Memory of the process that is resident now.
pub(crate) fn rss_mb(pid: u32) -> Result<f64> {
    status_mb(pid, "VmRSS:")
}

/// The most memory of the process that was resident since [`forget_peak`].
pub(crate) fn peak_rss_mb(pid: u32) -> Result<f64> {
    status_mb(pid, "VmHWM:")
}

pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("reset the peak of resident memory")
}

/// What this machine's disks have done so far, for whomever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Disks {
    /// Requests to make durable what was written.
    pub(crate) flushes: u64,
    pub(crate) written_bytes: u64,
}

pub(crate) fn disks() -> Result<Disks> {
    let stats = fs::read_to_string("/proc/diskstats").context("read /proc/diskstats")?;
    // Those behind which there is a device; the others lie on these, and partitions are part of them.
    Ok(sum(&stats, |name| fs::exists(format!("/sys/block/{name}/device")).unwrap_or(false)))
}

/// Sectors of 512 bytes in field 10, flushes in field 19 (Linux 5.5).
fn sum(stats: &str, counts: impl Fn(&str) -> bool) -> Disks {
    let mut sum = Disks::default();
    for line in stats.lines() {
        let fields: Vec<_> = line.split_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
        if fields.get(2).is_some_and(|name| counts(name)) {
            sum.written_bytes += number(9) * 512;
            sum.flushes += number(18);
        }
    }
    sum
}

fn own_ticks(pid: u32) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
    ticks(&stat, 4).with_context(|| format!("/proc/{pid}/stat: {stat}"))
}

/// utime, stime, cutime and cstime, as many as are wanted: fields 14 to 17, counted from behind the name, which may hold anything.
fn ticks(stat: &str, count: usize) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').skip(11).take(count).map(|field| field.parse::<u64>().ok()).sum()
}

/// Not every kernel lists a process's children, so they are found by their parent.
fn children(of: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| parent(&stat) == Some(of)))
        .collect()
}

/// Field 4.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn status_mb(pid: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid} is gone"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    let kib: u32 = line.trim().trim_end_matches(" kB").parse().with_context(|| format!("{name}{line}"))?;
    Ok(f64::from(kib) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 5 6 7 8 11 22 33 44 20 0 1 0";
        assert_eq!(ticks(stat, 2), Some(33));
        assert_eq!(ticks(stat, 4), Some(110));
        assert_eq!(parent(stat), Some(1));
    }

    #[test]
    fn disks_are_counted_once() {
        let stats = " 254 0 vda 1 2 3 4 5 6 10 8 0 9 10 11 12 13 14 7 16\n 254 1 vda1 1 2 3 4 5 6 10 8 0 9 10 11 12 13 14 7 16\n";
        assert_eq!(sum(stats, |name| name == "vda"), Disks { flushes: 7, written_bytes: 5120 });
        disks().unwrap();
    }

    #[test]
    fn this_process_can_be_read() {
        let pid = std::process::id();
        assert!(rss_mb(pid).unwrap() > 0.0);
        assert!(peak_rss_mb(pid).unwrap() > 0.0);
        cpu(pid).unwrap();
    }
}
