//! How slow a client may be: a rate over what it sends or takes, with some credit to begin with.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The time for which a client may be waited for; each byte gives some of it back. Only the time in which nothing else is waited for
/// counts, so a slow store is no client's fault.
pub(super) struct Pace {
    credit: Duration,
    full: Duration,
    bytes_per_second: u32,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Pace {
    /// A client may pause for `credit` and has to keep up `bytes_per_second` on average.
    pub(super) fn new(credit: Duration, bytes_per_second: u32) -> Self {
        Self { credit, full: credit, bytes_per_second, waiting: None }
    }

    /// The client is waited for. Ready when that takes too long.
    pub(super) fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (_, sleep) = self.waiting.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + self.credit)))
        });
        sleep.as_mut().poll(context)
    }

    /// The client has moved so many bytes.
    pub(super) fn moved(&mut self, bytes: usize) {
        if let Some((since, _)) = self.waiting.take() {
            self.credit = self.credit.saturating_sub(since.elapsed());
        }
        let gained = Duration::from_secs_f64(bytes as f64 / f64::from(self.bytes_per_second));
        self.credit = self.full.min(self.credit.saturating_add(gained));
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::FutureExt;
    use tokio::time::{advance, pause};

    use super::*;

    async fn is_late(pace: &mut Pace) -> bool {
        poll_fn(|context| pace.poll_late(context)).now_or_never().is_some()
    }

    #[tokio::test]
    async fn a_byte_now_and_then_is_too_slow_and_an_honest_slow_client_is_not() {
        pause();
        let mut pace = Pace::new(Duration::from_secs(30), 1000);
        pace.moved(50_000_000);
        for second in 0..100 {
            if is_late(&mut pace).await {
                assert!((28..=40).contains(&second), "{second}");
                break;
            }
            advance(Duration::from_secs(1)).await;
            if second % 8 == 0 {
                pace.moved(1);
            }
            assert!(second < 99);
        }
        let mut pace = Pace::new(Duration::from_secs(30), 1000);
        for _ in 0..1000 {
            assert!(!is_late(&mut pace).await);
            advance(Duration::from_secs(20)).await;
            pace.moved(20_000);
        }
        assert!(!matches!(poll_fn(|context| Poll::Ready(pace.poll_late(context))).await, Poll::Ready(())));
    }
}
