//! How slow a client may be: an average rate of sending or taking, with some credit at the start.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The time for which the server waits for a client; each byte adds to it. Time during which the server waits for something else, such as a
/// slow blob store, is not counted.
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

    /// Counts the time in which the server waits for the client. Ready when it is too long.
    pub(super) fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (_, sleep) = self.waiting.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + self.credit)))
        });
        sleep.as_mut().poll(context)
    }

    /// Records that the client has sent or taken bytes.
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
