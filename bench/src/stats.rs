//! Numbers out of numbers.

/// What is written down of one run of one scenario on one target. `None` where the scenario has no such figure.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub(crate) per_second: Option<f64>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// CPU time of the PDS process per operation.
    pub(crate) pds_cpu_ms: Option<f64>,
    /// CPU time of the database and the S3 server per operation.
    pub(crate) storage_cpu_ms: Option<f64>,
    /// CPU time of the load driver per operation: what the measuring itself takes away from the machine.
    pub(crate) driver_cpu_ms: Option<f64>,
    pub(crate) rss_mb: Option<f64>,
    /// How often the disk was told to make durable what was written, per operation; how much was written to it.
    pub(crate) flushes: Option<f64>,
    pub(crate) disk_kb: Option<f64>,
    pub(crate) failed: u64,
}

impl Sample {
    /// Field by field the median of the rounds.
    pub(crate) fn median(rounds: &[Self]) -> Self {
        let of = |field: fn(&Self) -> Option<f64>| median(rounds.iter().filter_map(field).collect());
        Self {
            per_second: of(|sample| sample.per_second),
            p50_ms: of(|sample| sample.p50_ms),
            p95_ms: of(|sample| sample.p95_ms),
            p99_ms: of(|sample| sample.p99_ms),
            pds_cpu_ms: of(|sample| sample.pds_cpu_ms),
            storage_cpu_ms: of(|sample| sample.storage_cpu_ms),
            driver_cpu_ms: of(|sample| sample.driver_cpu_ms),
            rss_mb: of(|sample| sample.rss_mb),
            flushes: of(|sample| sample.flushes),
            disk_kb: of(|sample| sample.disk_kb),
            failed: rounds.iter().map(|sample| sample.failed).sum(),
        }
    }

    /// Sets the three percentiles; sorts what it is given.
    pub(crate) fn set_latencies(&mut self, latencies_ms: &mut [f64]) {
        latencies_ms.sort_by(f64::total_cmp);
        self.p50_ms = percentile(latencies_ms, 50);
        self.p95_ms = percentile(latencies_ms, 95);
        self.p99_ms = percentile(latencies_ms, 99);
    }
}

/// The nearest rank.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 50), Some(50.0));
        assert_eq!(percentile(&values, 99), Some(99.0));
        assert_eq!(percentile(&values[..1], 99), Some(1.0));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn the_median_is_not_moved_by_one_outlier() {
        assert_eq!(median(vec![3.0, 1000.0, 1.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 1000.0]), Some(3.0));
        assert_eq!(median(Vec::new()), None);
    }
}
