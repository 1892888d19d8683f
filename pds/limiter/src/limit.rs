//! Limits, requests for points, and the state of a budget.

use std::time::Duration;

/// How the points of a budget come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Continuously, at the average rate (GCRA).
    Bucket,
    /// All at once, at the end of the period that began with the first request.
    Window,
    /// Each point one period after it was taken. No period, whenever it begins, has more requests than allowed.
    Log,
}

/// A number of points per period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Unique name; part of the key of each of its budgets.
    pub name: &'static str,
    pub algorithm: Algorithm,
    /// Points per period, on average.
    pub points: u32,
    pub period: Duration,
    /// Maximum number of points that can be taken at once. Differs from `points` for buckets only.
    pub burst: u32,
}

impl Limit {
    /// All points may be taken at once. They come back continuously.
    pub const fn bucket(name: &'static str, points: u32, period: Duration) -> Self {
        Self { name, algorithm: Algorithm::Bucket, points, period, burst: points }
    }

    /// All points may be taken at once. They come back together, at the end of the period.
    pub const fn window(name: &'static str, points: u32, period: Duration) -> Self {
        Self { name, algorithm: Algorithm::Window, points, period, burst: points }
    }

    /// All points may be taken at once. Each point comes back one period after it was taken.
    pub const fn log(name: &'static str, points: u32, period: Duration) -> Self {
        Self { name, algorithm: Algorithm::Log, points, period, burst: points }
    }

    /// The same limit as a bucket that holds at most `burst` points.
    #[must_use]
    pub const fn with_burst(self, burst: u32) -> Self {
        Self { algorithm: Algorithm::Bucket, burst, ..self }
    }

    /// The limit of one replica out of `parts` that cannot see each other's requests. At least one point.
    #[must_use]
    pub(crate) fn part(self, parts: u32) -> Self {
        let part = |points: u32| points.div_ceil(parts.max(1)).max(1);
        Self { points: part(self.points), burst: part(self.burst), ..self }
    }

    pub(crate) fn period_us(&self) -> u64 {
        micros(self.period).max(1)
    }

    /// Time in which a bucket gains one point.
    pub(crate) fn interval_us(&self) -> u64 {
        (self.period_us() / u64::from(self.points.max(1))).max(1)
    }
}

/// A request for `cost` points from the budget of `subject`.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    pub limit: &'a Limit,
    /// The client or account that the budget belongs to.
    pub subject: &'a str,
    /// Points. A cost above the burst of the limit counts as the burst, because it could never be paid otherwise.
    pub cost: u32,
}

impl Charge<'_> {
    pub(crate) fn cost(&self) -> u32 {
        self.cost.min(self.limit.burst)
    }
}

/// A budget after a request for points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub limit: Limit,
    /// Points left.
    pub remaining: u32,
    /// Time until all points are back, without further requests.
    pub reset: Duration,
    /// Set if the request was refused: time until the same request is allowed, without further requests.
    pub retry_after: Option<Duration>,
}

impl Standing {
    /// The stricter of two budgets of one request: the refusal with the longest wait, otherwise the one with the fewest points left.
    pub fn tightest(self, other: Self) -> Self {
        let key = |standing: &Self| {
            (
                standing.retry_after.is_none(),
                standing.retry_after.map(|wait| u64::MAX - micros(wait)),
                standing.remaining,
            )
        };
        if key(&other) < key(&self) { other } else { self }
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 4)
}
