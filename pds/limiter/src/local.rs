//! Budgets in this process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    bounded::{Bounded, Key, Keys, Passing},
    law::{Level, State},
    limit::{Charge, Limit, Standing},
};

/// Enough for 250,000 accounts that wrote today; 20 to 40 MB when full.
const BOUND: usize = 512 * 1024;

#[derive(Debug)]
struct Budget {
    state: State,
    until: u64,
}

impl Passing for Budget {
    fn until(&self) -> u64 {
        self.until
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
            let budget = budgets.get(self.key(charge));
            let level = budget.map(|budget| budget.state.level(&limit, now, charge.cost().min(limit.burst)));
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
    let new = || Budget { state: State::new(limit), until: 0 };
    budgets.change(key, now, new, |budget| {
        budget.state.level(limit, now, cost);
        let level = budget.state.draw(limit, now, cost);
        budget.until = budget.state.until(limit);
        level
    })
}
