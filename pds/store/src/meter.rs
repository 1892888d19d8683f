//! What statements cost: how long they waited for connections, and which were slow. While requests are traced, each is a span.
//!
//! A statement is named by the function that runs it. Neither its text nor its values are kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tracing::Instrument;

use crate::lines::Lines;

/// Target of the spans of statements; an event with it does not exist.
pub const SPANS: &str = "pds::trace";

/// Maximum number of log lines about slow statements in a second. The others are counted.
const LINES: u32 = 10;

/// The path of the function around it, which is the name of its statement.
macro_rules! here {
    () => {{
        fn here() {}
        std::any::type_name_of_val(&here)
    }};
}
pub(crate) use here;

/// Measures all statements of a database. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    waited_ns: AtomicU64,
    waits: AtomicU64,
    /// Statements that take at least this long are slow.
    slow_at: Option<Duration>,
    slow: AtomicU64,
    lines: Lines,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Meter {
    pub(crate) fn new(slow_at: Option<Duration>) -> Self {
        let [waited_ns, waits, slow] = [const { AtomicU64::new(0) }; 3];
        Self(Arc::new(Counts { waited_ns, waits, slow_at, slow, lines: Lines::new(LINES) }))
    }

    /// A statement waited for a connection.
    pub(crate) fn waited(&self, time: Duration) {
        self.0.waited_ns.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.0.waits.fetch_add(1, Ordering::Relaxed);
    }

    /// The sum of all waits, and their number.
    pub(crate) fn waits(&self) -> (Duration, u64) {
        (Duration::from_nanos(self.0.waited_ns.load(Ordering::Relaxed)), self.0.waits.load(Ordering::Relaxed))
    }

    /// Number of slow statements since the start.
    pub(crate) fn slow(&self) -> u64 {
        self.0.slow.load(Ordering::Relaxed)
    }

    /// Runs a statement, or several that belong together, on a connection that is there already. `place` is what [`here`] gives.
    pub(crate) async fn run<T, E>(
        &self,
        place: &'static str,
        statement: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let span = tracing::trace_span!(
            target: SPANS, "statement", otel.name = name(place), otel.kind = "client",
            otel.status_code = tracing::field::Empty, db.operation.name = name(place)
        );
        let _watch = Watch { meter: self, place, began: Instant::now() };
        let done = statement.instrument(span.clone()).await;
        if done.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        done
    }

    fn note(&self, statement: &str, took: Duration) {
        self.0.slow.fetch_add(1, Ordering::Relaxed);
        let Some(left_out) = self.0.lines.take(Instant::now()) else { return };
        let duration_ms = took.as_secs_f64() * 1000.0;
        let left_out = Some(left_out).filter(|count| *count > 0);
        tracing::warn!(
            db.statement = statement,
            duration_ms,
            left_out,
            "slow statement: {statement} of the store took {duration_ms:.0} ms"
        );
    }
}

/// One statement. Ends also with a caller that gives it up, which is what happens to the slowest.
struct Watch<'a> {
    meter: &'a Meter,
    place: &'static str,
    began: Instant,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        if self.meter.0.slow_at.is_some_and(|slow| took >= slow) {
            self.meter.note(&name(self.place), took);
        }
    }
}

/// `job::take` for `pds_store::job::take::{{closure}}::here`. Leaves types out: `ping::ping` for `ping::<impl Db>::ping`.
fn name(place: &str) -> String {
    let (mut outside, mut depth) = (String::new(), 0_u32);
    for letter in place.chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            letter if depth == 0 => outside.push(letter),
            _ => {}
        }
    }
    let parts = outside.split("::").filter(|part| !matches!(*part, "" | "pds_store" | "{{closure}}" | "here"));
    parts.collect::<Vec<_>>().join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn take() -> &'static str {
        let inner = async { here!() };
        inner.await
    }

    #[tokio::test]
    async fn a_statement_has_the_name_of_its_function() {
        assert_eq!(name(take().await), "meter::tests::take");
        assert_eq!(name("pds_store::ping::<impl pds_store::db::Db>::ping::{{closure}}::here"), "ping::ping");
        assert_eq!(name("pds_store::pools::Pool<sqlx::Sqlite>::begin::{{closure}}::here"), "pools::Pool::begin");
    }

    #[tokio::test]
    async fn slow_statements_are_counted_and_few_of_them_logged() {
        let meter = Meter::new(Some(Duration::ZERO));
        for _ in 0..100 {
            meter.run(here!(), async { Ok::<_, ()>(()) }).await.unwrap();
        }
        assert_eq!(meter.slow(), 100);
        let left_out = meter.0.lines.take(Instant::now() + Duration::from_secs(1)).unwrap();
        assert!(left_out >= u64::from(100 - 2 * LINES), "{left_out}");

        // Of one that is given up nobody else would tell.
        let given_up = meter.run(here!(), std::future::pending::<Result<(), ()>>());
        assert!(tokio::time::timeout(Duration::ZERO, given_up).await.is_err());
        assert_eq!(meter.slow(), 101);

        let patient = Meter::new(Some(Duration::from_secs(3600)));
        assert_eq!(patient.run(here!(), async { Err::<(), _>(3) }).await, Err(3));
        assert_eq!((patient.slow(), Meter::default().slow()), (0, 0));
    }
}
