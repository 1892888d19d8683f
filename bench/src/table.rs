//! The results as Markdown.

use std::fmt::Write;

use crate::scenario::Scenario;
use crate::stats::Sample;
use crate::target::Kind;

/// One scenario: the medians of each target, in the order of the targets.
pub(crate) struct Row {
    pub(crate) scenario: Scenario,
    pub(crate) medians: Vec<(Kind, Sample)>,
}

const HEAD: &str = "| scenario | target | per s | × ref. | p50 ms | p95 ms | p99 ms | PDS CPU ms/op | × ref. | storage CPU ms/op | driver CPU ms/op | RSS MB | flushes/op | disk KB/op |\n\
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";

/// The columns of ratios say how many times better the target is: more operations a second (where nothing is counted, a
/// shorter median latency), and less CPU time of PDS and storage together.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = HEAD.to_owned();
    for row in rows {
        let reference = row.medians.iter().find(|(kind, _)| *kind == Kind::Reference).map(|(_, sample)| sample);
        for (kind, sample) in &row.medians {
            let other = reference.filter(|_| *kind != Kind::Reference);
            let rate = other.and_then(|other| ratio(sample.per_second, other.per_second));
            let latency = other.and_then(|other| ratio(other.p50_ms, sample.p50_ms));
            let cpu = other.and_then(|other| ratio(all_cpu(other), all_cpu(sample)));
            let cells = [
                row.scenario.name(),
                kind.name().to_owned(),
                figure(sample.per_second),
                times(rate.or(latency)),
                figure(sample.p50_ms),
                figure(sample.p95_ms),
                figure(sample.p99_ms),
                figure(sample.pds_cpu_ms),
                times(cpu),
                figure(sample.storage_cpu_ms.filter(|_| *kind == Kind::Postgres)),
                figure(sample.driver_cpu_ms),
                figure(sample.rss_mb),
                figure(sample.flushes),
                figure(sample.disk_kb),
            ];
            let failed = if sample.failed > 0 { format!(" ({} failed)", sample.failed) } else { String::new() };
            let _ = writeln!(text, "| {} |{failed}", cells.join(" | "));
        }
    }
    text
}

fn all_cpu(sample: &Sample) -> Option<f64> {
    Some(sample.pds_cpu_ms? + sample.storage_cpu_ms?)
}

fn ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? / b.filter(|b| *b > 0.0)?)
}

fn times(ratio: Option<f64>) -> String {
    ratio.map(|ratio| format!("{}×", figure(Some(ratio)))).unwrap_or_default()
}

/// Three digits that count.
fn figure(value: Option<f64>) -> String {
    let Some(value) = value else { return String::new() };
    let digits = match value.abs() {
        0.0 => 0,
        small if small < 0.1 => 3,
        small if small < 10.0 => 2,
        small if small < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_how_many_times_better_it_is() {
        let sample = |per_second, cpu| Sample {
            per_second: Some(per_second),
            pds_cpu_ms: Some(cpu),
            storage_cpu_ms: Some(0.0),
            ..Sample::default()
        };
        let medians = vec![(Kind::Sqlite, sample(1000.0, 0.5)), (Kind::Reference, sample(100.0, 10.0))];
        let text = markdown(&[Row { scenario: Scenario::GetRecord, medians }]);
        assert!(text.contains("| get-record | SQLite + disk | 1000 | 10.0× |  |  |  | 0.50 | 20.0× |"), "{text}");
    }
}
