//! The arithmetic of the algorithms. `take.lua` implements the same for Redis. The two must agree; a test compares them.

use std::{collections::VecDeque, time::Duration};

use crate::limit::{Algorithm, Limit, Standing};

/// The state of one budget. Times are in microseconds.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// `full_at`: when the bucket will be full, the theoretical arrival time of GCRA.
    Bucket { full_at: u64 },
    /// `ends`: when the window ends. `taken`: points taken in it.
    Window { ends: u64, taken: u32 },
    /// The time at which each point was taken, in order.
    #[expect(clippy::box_collection, reason = "most budgets are of the other kinds, and smaller for it")]
    Log { taken: Box<VecDeque<u64>> },
}

/// A budget at one point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) remaining: u32,
    pub(crate) reset_us: u64,
    /// Time until a request of the given cost is allowed; 0 if it is allowed now.
    pub(crate) wait_us: u64,
}

impl Level {
    pub(crate) fn standing(self, limit: Limit, refused: bool) -> Standing {
        let retry_after = refused.then_some(Duration::from_micros(self.wait_us));
        Standing { limit, remaining: self.remaining, reset: Duration::from_micros(self.reset_us), retry_after }
    }
}

impl State {
    pub(crate) fn new(limit: &Limit) -> Self {
        match limit.algorithm {
            Algorithm::Bucket => Self::Bucket { full_at: 0 },
            Algorithm::Window => Self::Window { ends: 0, taken: 0 },
            Algorithm::Log => Self::Log { taken: Box::default() },
        }
    }

    /// Updates the state to `now`. If the clock was set back, no subject is refused for longer than the period of the limit.
    fn settle(&mut self, limit: &Limit, now: u64) {
        match self {
            Self::Bucket { full_at } => {
                let most = limit.interval_us() * u64::from(limit.burst);
                *full_at = (*full_at).clamp(now, now + most);
            }
            Self::Window { ends, taken } => {
                if *ends <= now || *ends > now + limit.period_us() {
                    (*ends, *taken) = (now + limit.period_us(), 0);
                }
            }
            Self::Log { taken } => {
                while taken.front().is_some_and(|at| at + limit.period_us() <= now || *at > now) {
                    taken.pop_front();
                }
            }
        }
    }

    /// The budget at `now`, and whether a request of `cost` is allowed.
    pub(crate) fn level(&mut self, limit: &Limit, now: u64, cost: u32) -> Level {
        self.settle(limit, now);
        match self {
            Self::Bucket { full_at } => {
                let (missing, interval) = (*full_at - now, limit.interval_us());
                let most = interval * u64::from(limit.burst);
                let remaining = points(most.saturating_sub(missing) / interval);
                let wait_us = (missing + interval * u64::from(cost)).saturating_sub(most);
                Level { remaining, reset_us: missing, wait_us }
            }
            Self::Window { ends, taken } => {
                let (remaining, reset_us) = (limit.burst.saturating_sub(*taken), *ends - now);
                Level {
                    remaining,
                    reset_us: if *taken == 0 { 0 } else { reset_us },
                    wait_us: if cost > remaining { reset_us } else { 0 },
                }
            }
            Self::Log { taken } => {
                let until_gone = |at: &u64| at + limit.period_us() - now;
                let remaining = limit.burst.saturating_sub(points(taken.len() as u64));
                let blocking =
                    cost.saturating_sub(remaining).checked_sub(1).and_then(|index| taken.get(index as usize));
                Level {
                    remaining,
                    reset_us: taken.back().map_or(0, until_gone),
                    wait_us: blocking.map_or(0, until_gone),
                }
            }
        }
    }

    /// Takes `cost` points. The caller has checked with [`State::level`] that they are available. Returns the budget afterwards.
    pub(crate) fn take(&mut self, limit: &Limit, now: u64, cost: u32) -> Level {
        match self {
            Self::Bucket { full_at } => *full_at = (*full_at).max(now) + limit.interval_us() * u64::from(cost),
            Self::Window { taken, .. } => *taken = taken.saturating_add(cost),
            Self::Log { taken } => taken.extend(std::iter::repeat_n(now, cost as usize)),
        }
        self.level(limit, now, 0)
    }

    /// When the budget is whole again, so that its state can be dropped.
    pub(crate) fn expires_at(&self, limit: &Limit) -> u64 {
        match self {
            Self::Bucket { full_at } => *full_at,
            Self::Window { ends, .. } => *ends,
            Self::Log { taken } => taken.back().map_or(0, |at| at + limit.period_us()),
        }
    }

    /// Its share of the memory bound, in units of about 50 bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Bucket { .. } | Self::Window { .. } => 1,
            Self::Log { taken } => 2 + taken.capacity() / 4,
        }
    }
}

fn points(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
