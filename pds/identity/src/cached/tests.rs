use std::sync::atomic::AtomicU32;

use tokio::sync::Semaphore;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// A lookup that counts its runs and ends on request.
struct FarEnd {
    asked: AtomicU32,
    gate: Semaphore,
    says: fn(u32) -> Result<u32, Error>,
}

impl FarEnd {
    fn new(open: usize, says: fn(u32) -> Result<u32, Error>) -> Arc<Self> {
        Arc::new(Self { asked: AtomicU32::new(0), gate: Semaphore::new(open), says })
    }

    fn question(self: &Arc<Self>) -> impl Future<Output = Result<u32, Error>> + Send + 'static {
        let this = self.clone();
        async move {
            let count = this.asked.fetch_add(1, Ordering::Relaxed) + 1;
            this.gate.acquire().await.unwrap().forget();
            (this.says)(count)
        }
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

fn cache(fresh: Duration, stale: Duration, failed: Duration) -> Cached<&'static str, u32> {
    Cached::new(100, Ages { fresh, stale, failed }, |_| 1)
}

fn away() -> Error {
    Error::Unreachable { name: "it".into(), reason: "away".into() }
}

/// Runs other tasks until `done` is true.
async fn until(done: impl AsyncFn() -> bool) {
    let waited = async {
        while !done().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waited).await.expect("what is waited for happens");
}

/// Runs all other tasks until they wait. One thread runs all tasks.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_crowd_puts_one_question() {
    let (cache, far) = (cache(HOUR, HOUR, HOUR), FarEnd::new(0, Ok));
    let crowd: Vec<_> = (0..50)
        .map(|_| {
            let (cache, question) = (cache.clone(), far.question());
            tokio::spawn(async move { cache.get(&"key", question).await })
        })
        .collect();
    settle().await;
    assert_eq!(far.asked(), 1);
    // A cancelled caller does not cancel the lookup.
    crowd[0].abort();
    far.gate.add_permits(1);
    for member in crowd.into_iter().skip(1) {
        assert_eq!(member.await.unwrap().unwrap(), 1);
    }
    assert_eq!(cache.get(&"key", far.question()).await.unwrap(), 1);
    assert_eq!(far.asked(), 1);
}

#[tokio::test]
async fn an_old_answer_is_served_while_one_task_asks_again() {
    let (cache, far) = (cache(Duration::ZERO, HOUR, HOUR), FarEnd::new(1, Ok));
    assert_eq!(cache.get(&"key", far.question()).await.unwrap(), 1);
    for _ in 0..20 {
        assert_eq!(cache.get(&"key", far.question()).await.unwrap(), 1);
    }
    settle().await;
    assert_eq!(far.asked(), 2);
    far.gate.add_permits(1);
    until(async || cache.known.get("key").await.unwrap().value.unwrap() == 2).await;
    assert_eq!(far.asked(), 2);
}

#[tokio::test]
async fn a_failed_refresh_keeps_the_answer_and_is_not_repeated_at_once() {
    let far = FarEnd::new(100, |count| if count == 1 { Ok(1) } else { Err(away()) });
    let cache = cache(Duration::ZERO, HOUR, HOUR);
    assert_eq!(cache.get(&"key", far.question()).await.unwrap(), 1);
    assert!(matches!(cache.refresh(&"key", || far.question()).await, Err(Error::Unreachable { .. })));
    for _ in 0..20 {
        assert_eq!(cache.get(&"key", far.question()).await.unwrap(), 1);
    }
    assert_eq!(far.asked(), 2);
}

#[tokio::test]
async fn an_answer_that_is_gone_or_too_old_is_not_kept() {
    let gone = FarEnd::new(100, |count| if count == 1 { Ok(1) } else { Err(Error::NotFound("key".into())) });
    let long = cache(Duration::ZERO, HOUR, HOUR);
    assert_eq!(long.get(&"key", gone.question()).await.unwrap(), 1);
    assert!(matches!(long.refresh(&"key", || gone.question()).await, Err(Error::NotFound(_))));
    assert!(matches!(long.get(&"key", gone.question()).await, Err(Error::NotFound(_))));

    let far = FarEnd::new(100, |count| if count == 1 { Ok(1) } else { Err(away()) });
    let short = cache(Duration::ZERO, Duration::ZERO, HOUR);
    assert_eq!(short.get(&"key", far.question()).await.unwrap(), 1);
    assert!(matches!(short.get(&"key", far.question()).await, Err(Error::Unreachable { .. })));
}

#[tokio::test]
async fn a_failure_is_remembered_briefly() {
    let far = FarEnd::new(100, |count| if count == 1 { Err(away()) } else { Ok(count) });
    let slow = cache(HOUR, HOUR, HOUR);
    assert!(slow.get(&"key", far.question()).await.is_err());
    assert!(slow.get(&"key", far.question()).await.is_err());
    assert_eq!(far.asked(), 1);

    let far = FarEnd::new(100, |count| if count == 1 { Err(away()) } else { Ok(count) });
    let quick = cache(HOUR, HOUR, Duration::ZERO);
    assert!(quick.get(&"key", far.question()).await.is_err());
    assert_eq!(quick.get(&"key", far.question()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_refresh_does_not_take_the_answer_to_an_earlier_question() {
    let (cache, far) = (cache(HOUR, HOUR, HOUR), FarEnd::new(0, Ok));
    let early = tokio::spawn({
        let (cache, question) = (cache.clone(), far.question());
        async move { cache.get(&"key", question).await }
    });
    until(async || far.asked() == 1).await;
    let late = tokio::spawn({
        let (cache, far) = (cache.clone(), far.clone());
        async move { cache.refresh(&"key", || far.question()).await }
    });
    // By then it waits for the running lookup.
    settle().await;
    assert_eq!(far.asked(), 1);
    far.gate.add_permits(2);
    assert_eq!(early.await.unwrap().unwrap(), 1);
    assert_eq!(late.await.unwrap().unwrap(), 2);
    assert_eq!(cache.get(&"key", far.question()).await.unwrap(), 2);
}

#[tokio::test]
async fn answers_learnt_together_do_not_expire_together() {
    let far = FarEnd::new(300, Ok);
    let cache = Cached::<u32, u32>::new(1000, Ages { fresh: HOUR, stale: 24 * HOUR, failed: HOUR }, |_| 1);
    let (mut first, mut last) = (Duration::MAX, Duration::ZERO);
    for key in 0..300 {
        cache.get(&key, far.question()).await.unwrap();
        let entry = cache.known.get(&key).await.unwrap();
        let fresh = entry.due - entry.asked;
        (first, last) = (first.min(fresh), last.max(fresh));
    }
    assert!(first >= HOUR.mul_f64(0.9) && last < HOUR.mul_f64(1.11), "{first:?} {last:?}");
    assert!(last - first > HOUR / 10, "{first:?} {last:?}");
}
