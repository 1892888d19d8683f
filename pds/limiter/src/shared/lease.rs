//! Points of a budget in Redis that this replica has taken in advance, so that most requests need no call to Redis.

use crate::{
    algorithm::Level,
    bounded::Expiring,
    limit::{Algorithm, Charge, Limit, Standing},
};

/// Maximum number of points taken in advance. A tenth of the limit is the other maximum.
const MOST: u32 = 32;
/// No points are taken in advance from limits with a smaller burst.
const LEAST_BURST: u32 = 32;
/// Minimum time for which points of a bucket are held. Some buckets are full again sooner.
const HOLD_US: u64 = 1_000_000;
/// A request for points in advance that is not answered within this time counts as lost.
const ASKING_US: u64 = 1_000_000;

/// Points held in advance and what is known about the budget in Redis. Times are in microseconds of this process.
#[derive(Debug, Default)]
pub(super) struct Lease {
    points: u32,
    /// When the points expire.
    until: u64,
    /// Points left in Redis at the last call.
    remaining: u32,
    /// When the budget in Redis is whole again, according to the last call.
    reset_at: u64,
    /// Cost and time: a request of at least this cost is refused until then.
    closed: (u32, u64),
    /// A request for points in advance is on its way; no other one is sent until then.
    asking_until: u64,
}

impl Expiring for Lease {
    fn expires_at(&self) -> u64 {
        self.until.max(self.closed.1).max(self.reset_at)
    }

    fn weight(&self) -> usize {
        1
    }
}

impl Lease {
    /// The refusal, if it is known without a call to Redis.
    pub(super) fn refuses(&self, charge: &Charge<'_>, now: u64) -> Option<Standing> {
        let (cost, until) = self.closed;
        let too_much = until > now && charge.cost() >= cost && self.held(now) < charge.cost();
        too_much.then(|| self.level(now, until - now).standing(*charge.limit, true))
    }

    /// Takes the points from those held in advance. `None` if they do not suffice.
    pub(super) fn take(&mut self, charge: &Charge<'_>, now: u64) -> Option<Standing> {
        if self.held(now) < charge.cost() {
            return None;
        }
        self.points -= charge.cost();
        Some(self.level(now, 0).standing(*charge.limit, false))
    }

    /// Returns points that [`Lease::take`] took.
    pub(super) fn give_back(&mut self, charge: &Charge<'_>) {
        self.points += charge.cost();
    }

    /// Number of points to request in advance. 0 for small limits, and while another such request is on its way.
    pub(super) fn wanted(&mut self, limit: &Limit, now: u64) -> u32 {
        if limit.algorithm == Algorithm::Log || limit.burst < LEAST_BURST || now < self.asking_until {
            return 0;
        }
        self.asking_until = now + ASKING_US;
        (limit.points / 10).min(MOST)
    }

    /// Records that Redis allowed a request and granted `given` points in advance.
    pub(super) fn record_grant(&mut self, limit: &Limit, given: u32, level: Level, now: u64) {
        (self.remaining, self.reset_at, self.closed) = (level.remaining, now + level.reset_us, (0, 0));
        if given > 0 {
            let life = if limit.algorithm == Algorithm::Bucket { level.reset_us.max(HOLD_US) } else { level.reset_us };
            self.points = self.held(now) + given;
            (self.until, self.asking_until) = (now + life, 0);
        }
    }

    /// Records that Redis refused a request. The reason may be this budget or another one of the request.
    pub(super) fn record_refusal(&mut self, cost: u32, level: Level, now: u64) {
        (self.remaining, self.reset_at, self.asking_until) = (level.remaining, now + level.reset_us, 0);
        if level.wait_us > 0 {
            self.closed = (cost, now + level.wait_us);
        }
    }

    fn held(&self, now: u64) -> u32 {
        if self.until > now { self.points } else { 0 }
    }

    fn level(&self, now: u64, wait_us: u64) -> Level {
        Level { remaining: self.remaining + self.held(now), reset_us: self.reset_at.saturating_sub(now), wait_us }
    }
}
