//! Drives PDS implementations with one load driver, side by side, and compares them.

mod app_view;
mod bystander;
mod client;
mod curve;
mod fixture;
mod meter;
mod scenario;
mod stats;
mod subject;
mod table;
mod target;

use std::io::{Write, stderr, stdout};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use bystander::{Abuse, Extent};
use curve::Curve;
use fixture::Fixture;
use scenario::{Amount, Prepared, Scenario};
use stats::Sample;
use subject::Subject;
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
    /// Instead of scenarios, one writer and one reader alone and beside these abuses; beside all of them if none is named. Each phase alone
    /// takes --seconds, the one beside the abuse twice as long. Not on the reference.
    #[arg(long, num_args = 0.., value_name = "ABUSE", conflicts_with_all = ["scenarios", "curve"])]
    bystander: Option<Vec<Abuse>>,
    /// Records of the large repositories beside the bystander.
    #[arg(long, default_value_t = 1_000_000)]
    records: usize,
    /// Every PDS writes a line for each request; without, none does.
    #[arg(long)]
    log_requests: bool,
    /// Writes the table there as well.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let services = Services::from_env(app_view::start().await?, cli.log_requests)?;
    let mut subjects = Vec::new();
    for kind in cli.targets.iter().filter(|kind| cli.bystander.is_none() || **kind != Kind::Reference) {
        let target = Target::start(*kind, &services).await.with_context(|| format!("start {}", kind.name()))?;
        subjects.push(Subject { target, fixture: Fixture::default() });
    }
    let measured = tokio::select! {
        measured = measure(&cli, &mut subjects, &services) => measured,
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

async fn measure(cli: &Cli, subjects: &mut [Subject], services: &Services) -> Result<String> {
    let amount = Amount { length: Duration::from_secs(cli.seconds), replayed_events: cli.replayed_events };
    if let Some(abuses) = &cli.bystander {
        let abuses = if abuses.is_empty() { Abuse::value_variants() } else { abuses };
        let targets = subjects.iter_mut().map(|Subject { target, fixture }| (target, fixture)).collect();
        let extent = Extent { length: amount.length, records: cli.records };
        return bystander::run(abuses, targets, &services.folder, extent).await;
    }
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
    for group in scenarios.chunk_by(|one, next| one.is_beside(*next)) {
        let measured = rounds(group, subjects, cli.rounds, amount).await?;
        for row in &measured {
            let table = table::markdown(std::slice::from_ref(row));
            writeln!(stderr(), "{}: {}\n{table}", row.scenario.name(), row.scenario.what())?;
        }
        rows.extend(measured);
    }
    Ok(table::markdown(&rows))
}

/// One of the things that take turns: a scenario on the subject of that number.
struct Turn {
    scenario: Scenario,
    subject: usize,
    prepared: Prepared,
    samples: Vec<Sample>,
}

/// The targets take turns, and every other round in the opposite order, so that what else the machine does meets them all; and so do the
/// scenarios, where they are to be compared with each other.
async fn rounds(scenarios: &[Scenario], subjects: &mut [Subject], rounds: usize, amount: Amount) -> Result<Vec<Row>> {
    let mut turns = Vec::new();
    for scenario in scenarios {
        for (number, Subject { target, fixture }) in subjects.iter_mut().enumerate() {
            if scenario.is_for(target.kind) {
                let prepared = scenario.prepare(target, fixture, amount).await;
                let prepared =
                    prepared.with_context(|| format!("prepare {} for {}", target.kind.name(), scenario.name()))?;
                turns.push(Turn { scenario: *scenario, subject: number, prepared, samples: Vec::new() });
            }
        }
    }
    for _ in 0..rounds {
        for turn in &mut turns {
            let Subject { target, fixture } = &mut subjects[turn.subject];
            let sample = turn.prepared.run(target, fixture, amount).await;
            turn.samples.push(sample.with_context(|| format!("{} on {}", turn.scenario.name(), target.kind.name()))?);
        }
        turns.reverse();
    }
    // In the order of the command line.
    turns.sort_by_key(|turn| turn.subject);
    let row = |scenario: &Scenario| {
        let of_it = turns.iter().filter(|turn| turn.scenario == *scenario);
        let medians = of_it.map(|turn| (subjects[turn.subject].target.kind, Sample::median(&turn.samples)));
        Row { scenario: *scenario, medians: medians.collect() }
    };
    Ok(scenarios.iter().map(row).collect())
}
