//! Compares signatures, records and CIDs of the product with other libraries, in one process.
//!
//! `cargo bench -p bench --bench primitives -- --help` shows the options. Each round runs all cases, every other round in reverse order. The
//! table shows medians. ADR 6 has the figures and the decisions that follow from them.

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
    /// Runs only the cases whose name contains this text.
    #[arg(default_value = "")]
    only: String,
    #[arg(long, default_value_t = 301)]
    rounds: usize,
    /// Duration of one case in one round. Short, so that other load on the machine affects few rounds.
    #[arg(long, default_value_t = 1)]
    milliseconds: u64,
    /// Also counts instructions. Requires valgrind.
    #[arg(long)]
    instructions: bool,
    /// Runs the case with exactly this name that many times, without output. Used to count instructions.
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

/// The nanoseconds of each case in each round, sorted.
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

/// The number of runs of a case in the given time.
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
