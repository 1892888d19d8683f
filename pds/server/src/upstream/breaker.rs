//! Leaves a service alone that does not respond, so that calls to it fail at once instead of waiting.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Failures in a row after which the service is left alone.
const FAILURES: u32 = 8;
/// Different callers that must be among them: one caller may have found a question that the service cannot answer.
const CALLERS: usize = 2;
/// How long it is left alone first, and at most; twice as long each time.
const FIRST: Duration = Duration::from_secs(2);
const MOST: Duration = Duration::from_secs(60);

/// What is known of one service. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Callers of these failures, as hashes.
    callers: Vec<u64>,
    /// While it is left alone.
    rest: Option<Rest>,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Instant,
    length: Duration,
    /// One call finds out whether the service is back.
    probed: bool,
}

/// A call that may be made. Says how it went, unless nobody waits for it any more.
#[derive(Debug)]
pub(super) struct Attempt {
    home: Breaker,
    is_probe: bool,
}

impl Breaker {
    /// Leave to make a call at `now`, or how long none is made.
    pub(super) fn admit(&self, now: Instant) -> Result<Attempt, Duration> {
        let mut state = self.state();
        let mut is_probe = false;
        if let Some(rest) = &mut state.rest {
            if rest.probed || now < rest.until {
                return Err(rest.until.saturating_duration_since(now).max(Duration::from_secs(1)));
            }
            rest.probed = true;
            is_probe = true;
        }
        Ok(Attempt { home: self.clone(), is_probe })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// The service responded.
    pub(super) fn succeeded(mut self) {
        *self.home.state() = State::default();
        self.is_probe = false;
    }

    /// The service did not respond to `caller`.
    pub(super) fn failed(mut self, now: Instant, caller: u64) {
        let mut state = self.home.state();
        if let Some(rest) = &mut state.rest {
            if self.is_probe {
                let length = (rest.length * 2).min(MOST);
                *rest = Rest { until: now + length, length, probed: false };
            }
        } else {
            state.failures += 1;
            if state.callers.len() < CALLERS && !state.callers.contains(&caller) {
                state.callers.push(caller);
            }
            if state.failures >= FAILURES && state.callers.len() >= CALLERS {
                state.rest = Some(Rest { until: now + FIRST, length: FIRST, probed: false });
            }
        }
        drop(state);
        self.is_probe = false;
    }
}

/// A probe that nobody waited for: the next call is the probe.
impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_probe
            && let Some(rest) = &mut self.home.state().rest
        {
            rest.probed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, now: Instant, callers: impl IntoIterator<Item = u64>) {
        callers.into_iter().for_each(|caller| breaker.admit(now).unwrap().failed(now, caller));
    }

    #[test]
    fn after_failures_of_several_callers_one_probe_decides() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        fail(&breaker, now, (0..8).map(|n| n % 2));
        assert_eq!(breaker.admit(now).unwrap_err(), FIRST);
        let later = now + FIRST;
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err(), "one probe at a time");
        drop(probe);
        breaker.admit(later).unwrap().failed(later, 1);
        assert_eq!(breaker.admit(later).unwrap_err(), FIRST * 2);
        breaker.admit(later + FIRST * 2).unwrap().succeeded();
        assert!(breaker.admit(later).is_ok() && breaker.admit(later).is_ok());
    }

    #[test]
    fn one_caller_alone_and_failures_with_successes_between_change_nothing() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        fail(&breaker, now, [7; 50]);
        breaker.admit(now).unwrap().succeeded();
        fail(&breaker, now, [1, 2, 3, 4, 5, 6, 7]);
        breaker.admit(now).unwrap().succeeded();
        fail(&breaker, now, [1, 2, 3, 4, 5, 6, 7]);
        assert!(breaker.admit(now).is_ok());
    }
}
