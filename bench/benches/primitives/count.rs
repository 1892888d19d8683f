//! Counts the instructions of a case. Unlike its time, they do not depend on the load of the machine.
//!
//! Valgrind simulates a processor without SHA and AVX-512 instructions. Code that uses these instructions on real processors counts more
//! instructions than it executes.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Instructions per run: the difference between two processes, of which one runs the case twice as often. This excludes the start of the
/// process.
pub(crate) fn instructions(name: &str, ns: f64) -> Result<u64> {
    let times = (2e6 / ns).clamp(8.0, 2000.0) as u64;
    let (once, twice) = (collected(name, times)?, collected(name, 2 * times)?);
    Ok(twice.saturating_sub(once) / times)
}

fn collected(name: &str, times: u64) -> Result<u64> {
    let program = std::env::current_exe().context("find this program")?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([name, "--times", &times.to_string()])
        .output()
        .context("run valgrind")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind: {text}");
    let line =
        text.lines().find_map(|line| line.split_once("Collected :")).context("the output of valgrind has no count")?;
    line.1.trim().parse().context("read the count")
}
