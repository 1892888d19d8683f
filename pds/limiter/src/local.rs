//! Budgets in the memory of this process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    algorithm::{Level, State},
    bounded::{Bounded, Expiring, Key, Keys},
    limit::{Charge, Limit, Standing},
};

/// Maximum weight of all budgets. Enough for 250,000 accounts that wrote today. Takes 20 to 40 MB when full.
const BOUND: usize = 512 * 1024;

#[derive(Debug)]
struct Budget {
    state: State,
    expires_at: u64,
}

impl Expiring for Budget {
    fn expires_at(&self) -> u64 {
        self.expires_at
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
    /// Takes the points from all budgets or from none. Each limit is divided by `parts`. Returns the strictest budget.
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
        let taken = charges.iter().map(|charge| {
            let limit = charge.limit.part(parts);
            take_points(&mut budgets, self.key(charge), &limit, charge.cost().min(limit.burst), now)
                .standing(limit, false)
        });
        taken.reduce(Standing::tightest)
    }

    /// Takes points for a request that Redis has allowed.
    pub(crate) fn note(&self, charge: &Charge<'_>, now: u64) {
        take_points(&mut self.lock(), self.key(charge), charge.limit, charge.cost(), now);
    }

    fn key(&self, charge: &Charge<'_>) -> Key {
        self.keys.key(charge.limit.name, charge.subject)
    }

    fn lock(&self) -> MutexGuard<'_, Bounded<Budget>> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_points(budgets: &mut Bounded<Budget>, key: Key, limit: &Limit, cost: u32, now: u64) -> Level {
    let new = || Budget { state: State::new(limit), expires_at: 0 };
    budgets.change(key, now, new, |budget| {
        budget.state.level(limit, now, cost);
        let level = budget.state.take(limit, now, cost);
        budget.expires_at = budget.state.expires_at(limit);
        level
    })
}
