//! Instructions of one run of a case: unlike time they are the same on a busy machine.
//!
//! Valgrind's processor has no SHA or AVX-512 instructions, so what hashes or picks its code by them counts higher than it runs.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The difference between a run of twice as many times and one, so that the start of the process falls out.
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
    let line = text.lines().find_map(|line| line.split_once("Collected :")).context("valgrind says no count")?;
    line.1.trim().parse().context("read the count")
}
