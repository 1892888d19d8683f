//! What a limit is, and what is asked and answered about it.

use std::time::Duration;

/// How a budget comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// Bit by bit, at the average rate (GCRA).
    Bucket,
    /// All at once, when the period is over that the first draw began.
    Window,
    /// Each point when the draw that took it is a period ago: in no period of any beginning is more drawn than allowed.
    Log,
}

/// So many points in such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Part of the key of each of its budgets.
    pub name: &'static str,
    /// How a budget comes back.
    pub law: Law,
    /// Points in each period, on average.
    pub points: u32,
    /// The period.
    pub period: Duration,
    /// Points at once. Less than `points` for buckets alone.
    pub burst: u32,
}

impl Limit {
    /// All of it may be drawn at once, and comes back bit by bit.
    pub const fn bucket(name: &'static str, points: u32, period: Duration) -> Self {
        Self { name, law: Law::Bucket, points, period, burst: points }
    }

    /// All of it comes back together.
    pub const fn window(name: &'static str, points: u32, period: Duration) -> Self {
        Self { name, law: Law::Window, points, period, burst: points }
    }

    /// Each point comes back a period later.
    pub const fn log(name: &'static str, points: u32, period: Duration) -> Self {
        Self { name, law: Law::Log, points, period, burst: points }
    }

    /// A bucket that holds only `burst` points.
    #[must_use]
    pub const fn with_burst(self, burst: u32) -> Self {
        Self { law: Law::Bucket, burst, ..self }
    }

    /// One of `parts` equal parts, where the whole cannot be seen; never nothing.
    #[must_use]
    pub(crate) fn part(self, parts: u32) -> Self {
        let part = |points: u32| points.div_ceil(parts.max(1)).max(1);
        Self { points: part(self.points), burst: part(self.burst), ..self }
    }

    pub(crate) fn period_us(&self) -> u64 {
        micros(self.period).max(1)
    }

    /// In which a bucket gains a point.
    pub(crate) fn interval_us(&self) -> u64 {
        (self.period_us() / u64::from(self.points.max(1))).max(1)
    }
}

/// A draw of `cost` points from the budget of `subject`.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// Which limit.
    pub limit: &'a Limit,
    /// Whose budget.
    pub subject: &'a str,
    /// How many points; more than the limit's burst count as all of it, or nothing would ever pass.
    pub cost: u32,
}

impl Charge<'_> {
    pub(crate) fn cost(&self) -> u32 {
        self.cost.min(self.limit.burst)
    }
}

/// What a limit says about a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which limit.
    pub limit: Limit,
    /// Points that are left.
    pub remaining: u32,
    /// Until all of it is there again, if nothing else is drawn.
    pub reset: Duration,
    /// Set if the draw was refused: until it would pass, if nothing else is drawn.
    pub retry_after: Option<Duration>,
}

impl Standing {
    /// Of those of one request the one that binds: a refusal with the longest wait, or the fewest points left.
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
