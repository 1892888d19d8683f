//! How the cost of an operation grows with what there is: records of a repository, accounts, subscribers.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use plotters::prelude::*;

use crate::fixture;
use crate::scenario::{Calls, loaded, run_loop};
use crate::stats::Sample;
use crate::subject::Subject;
use crate::target::Kind;

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Curve {
    /// createRecord by 1 worker in a repository of 1,000 to 1,000,000 records
    Records,
    /// createRecord by 32 workers on 100 to 10,000 accounts in turn
    Accounts,
    /// Deliveries of events to 1 to 1,000 subscribers while 8 workers write
    Subscribers,
}

impl Curve {
    fn points(self, kind: Kind) -> Vec<usize> {
        let (from, to): (usize, usize) = match (self, kind) {
            (Self::Records, Kind::Reference) => (1_000, 10_000),
            (Self::Records, _) => (1_000, 1_000_000),
            (Self::Accounts, Kind::Reference) => (100, 1_000),
            (Self::Accounts, _) => (100, 10_000),
            (Self::Subscribers, Kind::Reference) => (1, 100),
            (Self::Subscribers, _) => (1, 1_000),
        };
        std::iter::successors(Some(from), |at| Some(at * 10)).take_while(|at| *at <= to).collect()
    }

    fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Records => ("records in the repository", "CPU ms per createRecord, PDS and storage"),
            Self::Accounts => ("accounts written to in turn", "CPU ms per createRecord, PDS and storage"),
            Self::Subscribers => ("subscribers", "CPU ms per delivered event, PDS and storage, the writes included"),
        }
    }
}

/// Measures one curve on all targets; writes `NAME.svg` into the folder and answers a table.
pub(crate) async fn draw(curve: Curve, subjects: &mut [Subject], length: Duration, folder: &Path) -> Result<String> {
    let name = curve.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let (what, cost) = curve.labels();
    let mut table =
        format!("| {what} | target | per s | p50 ms | {cost} | RSS MB |\n| ---: | --- | ---: | ---: | ---: | ---: |\n");
    let mut lines = Vec::new();
    for subject in subjects {
        let (kind, mut points) = (subject.target.kind, Vec::new());
        let mut growing = Growing::default();
        for at in curve.points(kind) {
            let sample = growing.measure(curve, subject, at, length).await;
            let sample = sample.with_context(|| format!("{name} {at} on {}", kind.name()))?;
            let cpu = sample.pds_cpu_ms.unwrap_or_default() + sample.storage_cpu_ms.unwrap_or_default();
            points.push((at as f64, cpu));
            writeln!(
                table,
                "| {at} | {} | {:.0} | {} | {cpu:.3} | {:.0} |",
                kind.name(),
                sample.per_second.unwrap_or_default(),
                sample.p50_ms.map(|p50| format!("{p50:.2}")).unwrap_or_default(),
                sample.rss_mb.unwrap_or_default(),
            )?;
        }
        lines.push((kind, points));
    }
    plot(&folder.join(format!("{name}.svg")), what, cost, &lines)?;
    Ok(table)
}

/// What has been made for the points so far.
#[derive(Default)]
struct Growing {
    accounts: Vec<fixture::Account>,
    records: usize,
}

impl Growing {
    async fn measure(&mut self, curve: Curve, subject: &mut Subject, at: usize, length: Duration) -> Result<Sample> {
        let Subject { target, fixture } = subject;
        let serial = fixture.serial();
        match curve {
            Curve::Records => {
                if self.accounts.is_empty() {
                    self.accounts = fixture.sign_up(target.address, 1).await?;
                }
                let account = self.accounts[0].clone();
                fixture.fill(target.address, &account, at - self.records).await?;
                self.records = at;
                let calls: Calls = Arc::new(move |_| fixture::create_record(&account, None, &serial));
                run_loop(target, 1, &calls, length).await
            }
            Curve::Accounts => {
                self.accounts.extend(fixture.sign_up(target.address, at - self.accounts.len()).await?);
                let (accounts, next) = (self.accounts.clone(), AtomicUsize::new(0));
                let calls: Calls = Arc::new(move |_| {
                    let account = &accounts[next.fetch_add(1, Ordering::Relaxed) % accounts.len()];
                    fixture::create_record(account, None, &serial)
                });
                run_loop(target, 32, &calls, length).await
            }
            Curve::Subscribers => loaded(target, fixture, at, length).await,
        }
    }
}

/// Both axes are logarithmic: a straight line of slope one is a cost in proportion.
fn plot(path: &Path, what: &str, cost: &str, lines: &[(Kind, Vec<(f64, f64)>)]) -> Result<()> {
    let all = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let (left, right) = all().fold((f64::MAX, 0.0f64), |(low, high), (at, _)| (low.min(at), high.max(at)));
    let (low, high) = all().fold((f64::MAX, 0.0f64), |(low, high), (_, cpu)| (low.min(cpu), high.max(cpu)));
    let root = SVGBackend::new(path, (720, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((left..right).log_scale(), (low * 0.7..high * 1.4).log_scale())?;
    chart.configure_mesh().x_desc(what).y_desc(cost).light_line_style(WHITE).draw()?;
    for (number, (kind, points)) in lines.iter().enumerate() {
        let color = Palette99::pick(number).to_rgba();
        chart
            .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)).point_size(3))?
            .label(kind.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}
