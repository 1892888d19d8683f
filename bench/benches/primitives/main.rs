//! The parts of a write that other libraries offer too, side by side in one process: signatures, records, CIDs.
//!
//! `cargo bench -p bench --bench primitives -- --help`. The cases take turns over several rounds, every other round in the opposite
//! order; the table shows medians. The figures and what followed from them are in ADR 6.

mod case;
mod count;
mod identifiers;
mod records;
mod signatures;

use std::io::{Write, stderr, stdout};
use std::time::Instant;

use anyhow::Result;
use clap::Parser;

use case::Case;

#[derive(Debug, Parser)]
struct Cli {
    /// Only the cases whose name holds this.
    #[arg(default_value = "")]
    only: String,
    #[arg(long, default_value_t = 301)]
    rounds: usize,
    /// Length of one case in one round. Short, so that whatever else the machine does meets few of them.
    #[arg(long, default_value_t = 1)]
    milliseconds: u64,
    /// Counts instructions as well; needs valgrind.
    #[arg(long)]
    instructions: bool,
    /// Runs the case of exactly this name so many times and says nothing: what is counted.
    #[arg(long)]
    times: Option<u64>,
    /// `cargo bench` passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let mut cases = signatures::cases()?;
    cases.extend(records::cases()?);
    cases.extend(identifiers::cases()?);
    if let Some(times) = cli.times {
        cases.iter_mut().filter(|case| case.name() == cli.only).for_each(|case| (case.run)(times));
        return Ok(());
    }
    cases.retain(|case| case.name().contains(&cli.only));
    let timed = rounds(&mut cases, cli.rounds.max(1), cli.milliseconds)?;
    let mut out = stdout().lock();
    writeln!(out, "| task | by | ns | × first | best ns | instructions |\n| --- | --- | ---: | ---: | ---: | ---: |")?;
    let mut first = ("", 0.0);
    for (case, ns) in cases.iter().zip(timed) {
        let (median, best) = (ns[ns.len() / 2], ns[0]);
        if first.0 != case.task {
            first = (case.task, median);
        }
        let counted =
            if cli.instructions { count::instructions(&case.name(), median)?.to_string() } else { String::new() };
        writeln!(
            out,
            "| {} | {} | {median:.0} | {:.2} | {best:.0} | {counted} |",
            case.task,
            case.by,
            median / first.1
        )?;
    }
    Ok(())
}

/// The nanoseconds of each case, one figure a round, sorted.
fn rounds(cases: &mut [Case], rounds: usize, milliseconds: u64) -> Result<Vec<Vec<f64>>> {
    let times: Vec<u64> = cases.iter_mut().map(|case| calibrate(case, milliseconds)).collect();
    let mut ns = vec![Vec::with_capacity(rounds); cases.len()];
    for round in 0..rounds {
        let forward: Vec<usize> = (0..cases.len()).collect();
        let order = if round % 2 == 0 { forward } else { forward.into_iter().rev().collect() };
        for at in order {
            let start = Instant::now();
            (cases[at].run)(times[at]);
            ns[at].push(start.elapsed().as_nanos() as f64 / times[at] as f64);
        }
        write!(stderr(), "\rround {} of {rounds}", round + 1)?;
    }
    writeln!(stderr())?;
    ns.iter_mut().for_each(|ns| ns.sort_by(f64::total_cmp));
    Ok(ns)
}

/// How often a case runs in about the wanted time.
fn calibrate(case: &mut Case, milliseconds: u64) -> u64 {
    let mut times = 1;
    loop {
        let start = Instant::now();
        (case.run)(times);
        let spent = start.elapsed().as_nanos().max(1) as u64;
        if spent > 1_000_000 {
            return (times * milliseconds * 1_000_000 / spent).max(1);
        }
        times *= 4;
    }
}
