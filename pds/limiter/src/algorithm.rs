//! The laws as arithmetic. `take.lua` says the same for Redis; the two must agree, and a test compares them.

use std::{collections::VecDeque, time::Duration};

use crate::limit::{Law, Limit, Standing};

/// What is remembered of a budget. Times are microseconds.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// When the bucket will be full: its theoretical arrival time.
    Bucket { full_at: u64 },
    /// When the window ends and what is drawn in it.
    Window { ends: u64, drawn: u32 },
    /// When each point was drawn.
    #[expect(clippy::box_collection, reason = "most budgets are of the other kinds, and smaller for it")]
    Log { drawn: Box<VecDeque<u64>> },
}

/// Where a budget stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) remaining: u32,
    pub(crate) reset_us: u64,
    /// Until the asked cost passes; 0 if it does.
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
        match limit.law {
            Law::Bucket => Self::Bucket { full_at: 0 },
            Law::Window => Self::Window { ends: 0, drawn: 0 },
            Law::Log => Self::Log { drawn: Box::default() },
        }
    }

    /// Brings the state to `now`. A clock that was put back leaves nobody locked out for longer than the limit's own time.
    fn settle(&mut self, limit: &Limit, now: u64) {
        match self {
            Self::Bucket { full_at } => {
                let most = limit.interval_us() * u64::from(limit.burst);
                *full_at = (*full_at).clamp(now, now + most);
            }
            Self::Window { ends, drawn } => {
                if *ends <= now || *ends > now + limit.period_us() {
                    (*ends, *drawn) = (now + limit.period_us(), 0);
                }
            }
            Self::Log { drawn } => {
                while drawn.front().is_some_and(|at| at + limit.period_us() <= now || *at > now) {
                    drawn.pop_front();
                }
            }
        }
    }

    /// Where it stands, and whether `cost` would pass.
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
            Self::Window { ends, drawn } => {
                let (remaining, reset_us) = (limit.burst.saturating_sub(*drawn), *ends - now);
                Level {
                    remaining,
                    reset_us: if *drawn == 0 { 0 } else { reset_us },
                    wait_us: if cost > remaining { reset_us } else { 0 },
                }
            }
            Self::Log { drawn } => {
                let until_gone = |at: &u64| at + limit.period_us() - now;
                let remaining = limit.burst.saturating_sub(points(drawn.len() as u64));
                let blocking =
                    cost.saturating_sub(remaining).checked_sub(1).and_then(|index| drawn.get(index as usize));
                Level {
                    remaining,
                    reset_us: drawn.back().map_or(0, until_gone),
                    wait_us: blocking.map_or(0, until_gone),
                }
            }
        }
    }

    /// Draws `cost`, which has been found to pass. Answers where it stands then.
    pub(crate) fn draw(&mut self, limit: &Limit, now: u64, cost: u32) -> Level {
        match self {
            Self::Bucket { full_at } => *full_at = (*full_at).max(now) + limit.interval_us() * u64::from(cost),
            Self::Window { drawn, .. } => *drawn = drawn.saturating_add(cost),
            Self::Log { drawn } => drawn.extend(std::iter::repeat_n(now, cost as usize)),
        }
        self.level(limit, now, 0)
    }

    /// When it can be forgotten.
    pub(crate) fn until(&self, limit: &Limit) -> u64 {
        match self {
            Self::Bucket { full_at } => *full_at,
            Self::Window { ends, .. } => *ends,
            Self::Log { drawn } => drawn.back().map_or(0, |at| at + limit.period_us()),
        }
    }

    /// Its share of the memory bound.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Bucket { .. } | Self::Window { .. } => 1,
            Self::Log { drawn } => 2 + drawn.capacity() / 4,
        }
    }
}

fn points(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
