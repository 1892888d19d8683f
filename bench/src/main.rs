//! Drives PDS implementations with one load driver, side by side, and compares them.

mod client;
mod curve;
mod fixture;
mod meter;
mod scenario;
mod stats;
mod table;
mod target;

use std::io::{Write, stderr, stdout};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use curve::Curve;
use fixture::Fixture;
use scenario::{Amount, Scenario};
use stats::Sample;
use table::Row;
use target::{Kind, Services, Target};

/// Measures the product beside the reference implementation. Start it with `bench/run`, which starts what it needs.
#[derive(Debug, Parser)]
struct Cli {
    /// All of them unless named.
    scenarios: Vec<Scenario>,
    /// Which PDS to measure.
    #[arg(long, value_delimiter = ',', default_values = ["sqlite", "postgres", "reference"])]
    targets: Vec<Kind>,
    /// Paired rounds of each scenario; the table shows their medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Length of a round on one target.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Events that a replay reads.
    #[arg(long, default_value_t = 100_000)]
    replayed_events: usize,
    /// Instead of scenarios, curves: each is drawn into this folder, beside the table.
    #[arg(long, requires = "folder")]
    curve: Vec<Curve>,
    /// Where curves go.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Every PDS writes a line for each request; without, none does.
    #[arg(long)]
    log_requests: bool,
    /// Writes the table there as well.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// A PDS and what it has been filled with.
struct Subject {
    target: Target,
    fixture: Fixture,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let services = Services::from_env(cli.log_requests)?;
    let mut subjects = Vec::new();
    for kind in &cli.targets {
        let target = Target::start(*kind, &services).await.with_context(|| format!("start {}", kind.name()))?;
        subjects.push(Subject { target, fixture: Fixture::default() });
    }
    let measured = tokio::select! {
        measured = measure(&cli, &mut subjects) => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    for subject in &mut subjects {
        subject.target.stop().await?;
    }
    let text = measured?;
    stdout().write_all(text.as_bytes())?;
    if let Some(path) = &cli.out {
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

async fn measure(cli: &Cli, subjects: &mut [Subject]) -> Result<String> {
    let amount = Amount { length: Duration::from_secs(cli.seconds), replayed_events: cli.replayed_events };
    if let Some(folder) = cli.folder.as_deref().filter(|_| !cli.curve.is_empty()) {
        let mut text = String::new();
        for curve in &cli.curve {
            text.push_str(&curve::draw(*curve, subjects, amount.length, folder).await?);
            text.push('\n');
        }
        return Ok(text);
    }
    let scenarios = if cli.scenarios.is_empty() { Scenario::value_variants() } else { &cli.scenarios };
    let mut rows = Vec::new();
    for scenario in scenarios {
        let row = rounds(*scenario, subjects, cli.rounds, amount).await.with_context(|| scenario.name())?;
        writeln!(
            stderr(),
            "{}: {}\n{}",
            scenario.name(),
            scenario.what(),
            table::markdown(std::slice::from_ref(&row))
        )?;
        rows.push(row);
    }
    Ok(table::markdown(&rows))
}

/// The targets take turns, and every other round in the opposite order, so that what else the machine does meets them all.
async fn rounds(scenario: Scenario, subjects: &mut [Subject], rounds: usize, amount: Amount) -> Result<Row> {
    let mut prepared = Vec::new();
    let mut subjects: Vec<_> = subjects.iter_mut().filter(|subject| scenario.is_for(subject.target.kind)).collect();
    for Subject { target, fixture } in subjects.iter_mut().map(|subject| &mut **subject) {
        let done = scenario.prepare(target, fixture, amount).await;
        prepared.push(done.with_context(|| format!("prepare {}", target.kind.name()))?);
    }
    let mut samples = vec![Vec::<Sample>::new(); subjects.len()];
    for round in 0..rounds {
        let forward: Vec<_> = (0..subjects.len()).collect();
        let order = if round % 2 == 0 { forward } else { forward.into_iter().rev().collect() };
        for index in order {
            let Subject { target, fixture } = &mut *subjects[index];
            let sample = prepared[index].run(target, fixture, amount).await;
            samples[index].push(sample.with_context(|| target.kind.name())?);
        }
    }
    let medians = subjects.iter().zip(&samples).map(|(subject, of)| (subject.target.kind, Sample::median(of)));
    Ok(Row { scenario, medians: medians.collect() })
}
