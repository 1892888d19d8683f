//! The results as Markdown, with the verdict on each row.

use std::fmt::Write;

use super::witness::{Latencies, Observed};
use crate::target::Kind;

/// The musts: a p99 beside the abuse of at most so many times the one alone, below so many milliseconds, and so much memory.
const TIMES: f64 = 2.0;
const P99_MS: f64 = 100.0;
const RSS_MB: f64 = 256.0;

/// What was seen of one abuse on one target.
pub(super) struct Row {
    pub(super) abuse: String,
    pub(super) kind: Kind,
    pub(super) before: Observed,
    pub(super) beside: Observed,
    pub(super) after: Observed,
    /// Peak of the PDS process while the abuse went on.
    pub(super) rss_mb: f64,
    /// Cores that were busy meanwhile: by the PDS, by its storage, by the driver.
    pub(super) cores: [f64; 3],
    pub(super) answers: String,
}

const HEAD: &str = "| abuse | target | writer p50 ms: alone, beside, alone | p99 ms: alone, **beside**, alone | reader p50 ms: alone, beside, alone | p99 ms: alone, **beside**, alone | 5xx, other errors | RSS MB | busy cores: PDS, storage, driver | the abuser was answered | musts |\n\
    | --- | --- | --- | --- | --- | --- | ---: | ---: | --- | --- | --- |\n";

pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = HEAD.to_owned();
    for row in rows {
        let Row { abuse, kind, before, beside, after, rss_mb, cores: [pds, storage, driver], answers } = row;
        let writes = [&before.writes, &beside.writes, &after.writes];
        let reads = [&before.reads, &beside.reads, &after.reads];
        let cells = [percentiles(writes, 50), percentiles(writes, 99), percentiles(reads, 50), percentiles(reads, 99)];
        let (server_errors, others) = errors(&[writes, reads].concat());
        let failure = [beside, after, before].into_iter().find_map(Observed::failure);
        let failure = failure.map(|failure| format!(" (for example {failure})")).unwrap_or_default();
        let mut missed = Vec::new();
        missed.extend(late("writer", before.writes.and(&after.writes), &beside.writes));
        missed.extend(late("reader", before.reads.and(&after.reads), &beside.reads));
        if server_errors + others > 0 {
            missed.push("errors".to_owned());
        }
        if *rss_mb >= RSS_MB {
            missed.push("memory".to_owned());
        }
        let verdict = if missed.is_empty() { "met".to_owned() } else { format!("**not met**: {}", missed.join(", ")) };
        let _ = writeln!(
            text,
            "| {abuse} | {} | {} | {server_errors}, {others}{failure} | {rss_mb:.0} | {pds:.2}, {storage:.2}, {driver:.2} | {answers} | {verdict} |",
            kind.name(),
            cells.join(" | "),
        );
    }
    text
}

fn percentiles([before, beside, after]: [&Latencies; 3], percent: usize) -> String {
    let [before, beside, after] = [before, beside, after].map(|latencies| latencies.percentile_ms(percent));
    let beside = if percent == 99 { format!("**{beside:.1}**") } else { format!("{beside:.1}") };
    format!("{before:.1}, {beside}, {after:.1}")
}

fn errors(all: &[&Latencies]) -> (u64, u64) {
    all.iter().fold((0, 0), |(server, others), one| (server + one.server_errors, others + one.others))
}

/// What is missed, if anything is. Both phases alone are one sample: a machine that became slower or faster meanwhile is in it.
fn late(who: &str, alone: Latencies, beside: &Latencies) -> Option<String> {
    let (alone, beside) = (alone.percentile_ms(99), beside.percentile_ms(99));
    // NaN, when nothing was answered, is missed.
    let met = beside <= TIMES * alone && beside < P99_MS;
    (!met).then(|| format!("{who}'s p99 is {beside:.0} ms, {:.1} times the one alone", beside / alone))
}
