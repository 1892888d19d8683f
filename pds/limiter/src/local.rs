//! Budgets in this process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    bounded::{Bounded, Key, Keys, Passing},
    law::{Level, State},
    limit::{Charge, Limit, Standing},
};

/// About 8 MB when full.
const BOUND: usize = 128 * 1024;

#[derive(Debug)]
struct Budget {
    state: State,
    limit: Limit,
}

impl Passing for Budget {
    fn until(&self) -> u64 {
        self.state.until(&self.limit)
    }

    fn weight(&self) -> usize {
        self.state.weight()
    }
}

#[derive(Debug)]
pub(crate) struct Local {
    keys: Keys,
    budgets: Mutex<Bounded<Budget>>,
}

impl Default for Local {
    fn default() -> Self {
        Self { keys: Keys::default(), budgets: Mutex::new(Bounded::new(BOUND)) }
    }
}

impl Local {
    /// Draws from all budgets or from none; `parts` is by how many the limits are divided. The answer is the one that binds.
    pub(crate) fn take(&self, charges: &[Charge<'_>], parts: u32, now: u64) -> Option<Standing> {
        let mut budgets = self.lock();
        let mut refusal: Option<Standing> = None;
        for charge in charges {
            let limit = charge.limit.part(parts);
            let level = budgets.get(self.key(charge)).map(|budget| {
                budget.limit = limit;
                budget.state.level(&limit, now, charge.cost().min(limit.burst))
            });
            if let Some(level) = level.filter(|level| level.wait_us > 0) {
                let standing = level.standing(limit, true);
                refusal = Some(refusal.map_or(standing, |other| other.tightest(standing)));
            }
        }
        if refusal.is_some() {
            return refusal;
        }
        let drawn = charges.iter().map(|charge| {
            let limit = charge.limit.part(parts);
            draw(&mut budgets, self.key(charge), &limit, charge.cost().min(limit.burst), now).standing(limit, false)
        });
        drawn.reduce(Standing::tightest)
    }

    /// Notes a draw that was allowed elsewhere.
    pub(crate) fn note(&self, charge: &Charge<'_>, now: u64) {
        draw(&mut self.lock(), self.key(charge), charge.limit, charge.cost(), now);
    }

    fn key(&self, charge: &Charge<'_>) -> Key {
        self.keys.key(charge.limit.name, charge.subject)
    }

    fn lock(&self) -> MutexGuard<'_, Bounded<Budget>> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn draw(budgets: &mut Bounded<Budget>, key: Key, limit: &Limit, cost: u32, now: u64) -> Level {
    let new = || Budget { state: State::new(limit), limit: *limit };
    budgets.change(key, now, new, |budget| {
        budget.state.level(limit, now, cost);
        budget.state.draw(limit, now, cost)
    })
}
