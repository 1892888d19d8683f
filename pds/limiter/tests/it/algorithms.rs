//! Each algorithm, compared with a model that remembers every request.

use std::time::Duration;

use pds_limiter::{Algorithm, Charge, Limit, Limiter, Standing};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000;
const MINUTE: Duration = Duration::from_secs(60);

/// Takes `cost` points at `now`, in microseconds.
pub(crate) async fn take(limiter: &Limiter, limit: &Limit, subject: &str, cost: u32, now: i64) -> Standing {
    limiter.take(&[Charge { limit, subject, cost }], now).await.unwrap()
}

/// How many of `count` requests for one point are allowed, one after the other at the same time.
async fn passed(limiter: &Limiter, limit: &Limit, count: u32, now: i64) -> u32 {
    let mut passed = 0;
    for _ in 0..count {
        passed += u32::from(take(limiter, limit, "somebody", 1, now).await.retry_after.is_none());
    }
    passed
}

#[tokio::test]
async fn a_bucket_gives_its_burst_and_then_its_rate() {
    // AL-RL-5
    let (limiter, limit) = (Limiter::alone(), Limit::bucket("general", 600, MINUTE).with_burst(10));
    let start = 1_700_000_000 * SECOND;
    assert_eq!(passed(&limiter, &limit, 30, start).await, 10);
    let refused = take(&limiter, &limit, "somebody", 1, start).await;
    assert_eq!((refused.remaining, refused.retry_after), (0, Some(Duration::from_millis(100))));
    assert_eq!(refused.reset, Duration::from_secs(1));
    assert_eq!(passed(&limiter, &limit, 30, start + SECOND / 10).await, 1);
    // Requests at the average rate are all allowed.
    for n in 0..600 {
        assert_eq!(passed(&limiter, &limit, 1, start + SECOND * 10 + n * SECOND / 10).await, 1, "{n}");
    }
    assert!(take(&limiter, &limit, "somebody else", 1, start).await.retry_after.is_none());
}

#[tokio::test]
async fn a_window_comes_back_at_once_and_a_log_point_by_point() {
    // AL-RL-5
    let limiter = Limiter::alone();
    let (window, log) = (Limit::window("window", 10, MINUTE), Limit::log("log", 10, MINUTE));
    for (limit, at_the_edge) in [(&window, 10), (&log, 5)] {
        assert_eq!(passed(&limiter, limit, 5, 0).await, 5);
        assert_eq!(passed(&limiter, limit, 20, 59 * SECOND).await, 5);
        // After its end, a window returns all points. A log returns only those that were taken a period ago.
        assert_eq!(passed(&limiter, limit, 20, 60 * SECOND).await, at_the_edge);
    }
    let refused = take(&limiter, &log, "somebody", 1, 61 * SECOND).await;
    assert_eq!(refused.retry_after, Some(Duration::from_secs(58)));
    let refused = take(&limiter, &log, "somebody", 6, 61 * SECOND).await;
    assert_eq!(refused.retry_after, Some(Duration::from_secs(59)));
}

#[tokio::test]
async fn points_are_taken_from_all_budgets_or_none() {
    let limiter = Limiter::alone();
    let (wide, narrow) = (Limit::window("wide", 100, MINUTE), Limit::window("narrow", 2, MINUTE));
    let both = [Charge { limit: &wide, subject: "a", cost: 3 }, Charge { limit: &narrow, subject: "b", cost: 1 }];
    for left in [1, 0] {
        let standing = limiter.take(&both, 0).await.unwrap();
        assert_eq!((standing.limit.name, standing.remaining, standing.retry_after), ("narrow", left, None));
    }
    for _ in 0..50 {
        let standing = limiter.take(&both, 0).await.unwrap();
        assert_eq!((standing.limit.name, standing.retry_after), ("narrow", Some(MINUTE)));
    }
    assert_eq!(take(&limiter, &wide, "a", 1, 0).await.remaining, 93);
    assert!(limiter.take(&[], 0).await.is_none());
}

#[tokio::test]
async fn a_clock_that_was_put_back_locks_nobody_out() {
    let year = 365 * 24 * 3600 * SECOND;
    for algorithm in [Algorithm::Bucket, Algorithm::Window, Algorithm::Log] {
        let (limiter, limit) = (Limiter::alone(), Limit { algorithm, ..Limit::bucket("any", 5, MINUTE) });
        assert_eq!(passed(&limiter, &limit, 9, year).await, 5);
        let wait = take(&limiter, &limit, "somebody", 1, 0).await.retry_after.unwrap_or_default();
        assert!(wait <= MINUTE, "{algorithm:?}: {wait:?}");
    }
}

#[tokio::test]
async fn a_cost_above_the_burst_takes_all_of_it() {
    let (limiter, limit) = (Limiter::alone(), Limit::bucket("small", 10, MINUTE));
    assert_eq!(take(&limiter, &limit, "a", 600, 0).await.retry_after, None);
    assert_eq!(take(&limiter, &limit, "a", 1, 0).await.retry_after, Some(Duration::from_secs(6)));
}

fn requests() -> impl Strategy<Value = Vec<(i64, u32)>> {
    // Steps of up to one and a half periods; most are short.
    prop::collection::vec((prop_oneof![0..2 * SECOND, 0..90 * SECOND], 1..5_u32), 1..200)
}

proptest! {
    #[test]
    fn no_period_has_more_than_the_algorithm_allows(algorithm in prop::sample::select(vec![Algorithm::Bucket, Algorithm::Window, Algorithm::Log]), requests in requests()) {
        // AL-RL-5
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let limit = Limit { algorithm, ..Limit::bucket("any", 12, MINUTE) };
        let (limiter, mut now, mut passed) = (Limiter::alone(), 0, Vec::<(i64, u32)>::new());
        for (step, cost) in requests {
            now += step;
            let standing = runtime.block_on(take(&limiter, &limit, "a", cost, now));
            let taken_since = |since: i64| passed.iter().filter(|(at, _)| *at > since).map(|(_, cost)| cost).sum::<u32>();
            let period = now - 60 * SECOND;
            match standing.retry_after {
                None => passed.push((now, cost)),
                // A request within the limit is not refused.
                Some(_) => prop_assert!(taken_since(period) + cost > 12),
            }
            let taken = passed.iter().filter(|(at, _)| *at > period).map(|(_, cost)| cost).sum::<u32>();
            let most = if algorithm == Algorithm::Log { 12 } else { 24 };
            prop_assert!(taken <= most, "{taken} in a period");
            // The request is allowed after the time in `retry_after`.
            if let Some(wait) = standing.retry_after {
                now += i64::try_from(wait.as_micros()).unwrap();
                prop_assert_eq!(runtime.block_on(take(&limiter, &limit, "a", cost, now)).retry_after, None);
                passed.push((now, cost));
            }
        }
    }
}
