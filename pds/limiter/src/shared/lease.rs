//! Points of a budget in Redis that this replica holds already, so that few draws ask there.

use crate::{
    bounded::Passing,
    law::Level,
    limit::{Charge, Law, Limit, Standing},
};

/// Most points to hold, beside a tenth of the limit.
const MOST: u32 = 32;
/// A burst smaller than this is counted exactly.
const LEAST_BURST: u32 = 32;
/// How long a bucket's points are held at least: longer than it would take some buckets to fill again.
const HOLD_US: u64 = 1_000_000;
/// After that a question for more counts as lost.
const ASKING_US: u64 = 1_000_000;

/// Times are microseconds of this process.
#[derive(Debug, Default)]
pub(super) struct Lease {
    points: u32,
    /// When the points are given up.
    until: u64,
    /// In Redis, when it was last asked.
    remaining: u32,
    /// When the budget is whole again, as far as is known.
    reset_at: u64,
    /// A draw of so much, or more, does not pass before then.
    closed: (u32, u64),
    /// Others do not ask for more before then.
    asking_until: u64,
}

impl Passing for Lease {
    fn until(&self) -> u64 {
        self.until.max(self.closed.1).max(self.reset_at)
    }

    fn weight(&self) -> usize {
        1
    }
}

impl Lease {
    /// What is known without asking to be too much.
    pub(super) fn refuses(&self, charge: &Charge<'_>, now: u64) -> Option<Standing> {
        let (cost, until) = self.closed;
        let too_much = until > now && charge.cost() >= cost && self.held(now) < charge.cost();
        too_much.then(|| self.level(now, until - now).standing(*charge.limit, true))
    }

    /// Draws from what is held.
    pub(super) fn draw(&mut self, charge: &Charge<'_>, now: u64) -> Option<Standing> {
        if self.held(now) < charge.cost() {
            return None;
        }
        self.points -= charge.cost();
        Some(self.level(now, 0).standing(*charge.limit, false))
    }

    pub(super) fn give_back(&mut self, charge: &Charge<'_>) {
        self.points += charge.cost();
    }

    /// How much to ask for in advance. One question at a time, and not for budgets that are seldom used or small.
    pub(super) fn more(&mut self, limit: &Limit, now: u64) -> u32 {
        if limit.law == Law::Log || limit.burst < LEAST_BURST || now < self.asking_until {
            return 0;
        }
        self.asking_until = now + ASKING_US;
        (limit.points / 10).min(MOST)
    }

    /// Redis has drawn, and given `given` in advance.
    pub(super) fn given(&mut self, limit: &Limit, given: u32, level: Level, now: u64) {
        (self.remaining, self.reset_at, self.closed) = (level.remaining, now + level.reset_us, (0, 0));
        if given > 0 {
            let life = if limit.law == Law::Bucket { level.reset_us.max(HOLD_US) } else { level.reset_us };
            self.points = self.held(now) + given;
            (self.until, self.asking_until) = (now + life, 0);
        }
    }

    /// Redis has not drawn: this budget may be why.
    pub(super) fn refused(&mut self, cost: u32, level: Level, now: u64) {
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
