//! Which of the lines about requests are logged: of successful reads those that the settings say, of refusals for a rate limit so many a second, and
//! all others.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{Method, StatusCode};
use pds_config::LogSample;
use pds_lexicon::{Catalog, Kind};

use crate::api::table::METHODS;

/// Lines about refusals for a rate limit, for all clients together, in each [`WHILE`]. A client can cause thousands.
const REFUSALS: u32 = 20;
const WHILE: Duration = Duration::from_secs(1);

/// The lines about each route that were left out since the last one that was logged.
#[derive(Debug, Default)]
pub struct Sampling {
    refusals: Refusals,
    /// By NSID.
    methods: HashMap<&'static str, Share>,
    /// All other routes together.
    others: Option<Share>,
}

#[derive(Debug)]
struct Share {
    every: u32,
    seen: AtomicU32,
}

impl Sampling {
    /// Only queries of this server count; see [`check`].
    #[must_use]
    pub fn new(sample: &LogSample) -> Self {
        let every = |nsid: &str| {
            let own = sample.methods.iter().find(|(method, _)| method.as_str() == nsid);
            own.map(|(_, every)| *every).or(sample.reads)
        };
        let queries = METHODS.iter().map(|method| method.nsid).filter(|nsid| is_query(nsid));
        let methods = queries.filter_map(|nsid| Some((nsid, Share::one_in(every(nsid)?)))).collect();
        Self { refusals: Refusals::default(), methods, others: sample.reads.map(Share::one_in) }
    }

    /// The number of requests that the line about this answer stands for; `None` if it is left out.
    pub(super) fn take(&self, verb: &Method, route: &str, status: StatusCode) -> Option<u32> {
        if status == StatusCode::TOO_MANY_REQUESTS {
            return self.refusals.take(Instant::now());
        }
        let is_read = verb == Method::GET || verb == Method::HEAD;
        if !is_read || status.is_client_error() || status.is_server_error() {
            return Some(1);
        }
        match self.methods.get(route).or(self.others.as_ref()) {
            Some(share) => share.take(),
            None => Some(1),
        }
    }
}

/// Refusals for a rate limit.
#[derive(Debug, Default)]
struct Refusals(Mutex<Logged>);

#[derive(Debug, Default)]
struct Logged {
    since: Option<Instant>,
    lines: u32,
    left_out: u32,
}

impl Refusals {
    /// The line that is logged stands for those that were left out before it, too.
    fn take(&self, now: Instant) -> Option<u32> {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.since.is_none_or(|since| now.duration_since(since) >= WHILE) {
            (logged.since, logged.lines) = (Some(now), 0);
        }
        if logged.lines == REFUSALS {
            logged.left_out = logged.left_out.saturating_add(1);
            return None;
        }
        logged.lines += 1;
        Some(1_u32.saturating_add(std::mem::take(&mut logged.left_out)))
    }
}

impl Share {
    fn one_in(every: u32) -> Self {
        Self { every, seen: AtomicU32::new(0) }
    }

    /// The first of each so many.
    fn take(&self) -> Option<u32> {
        let seen = self.seen.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| Some((seen + 1) % self.every));
        (seen == Ok(0)).then_some(self.every)
    }
}

/// Whether every named method is a query of this server.
///
/// # Errors
/// The name of the first that is not.
pub fn check(sample: &LogSample) -> Result<(), String> {
    let is_ours = |nsid: &str| METHODS.iter().any(|method| method.nsid == nsid) && is_query(nsid);
    match sample.methods.iter().find(|(method, _)| !is_ours(method.as_str())) {
        Some((method, _)) => {
            Err(format!("{method} is no query of this server; docs/reference/methods.md lists those that are"))
        }
        None => Ok(()),
    }
}

fn is_query(nsid: &str) -> bool {
    Catalog::bundled().method(nsid).is_some_and(|method| method.kind() == Kind::Query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(sampling: &Sampling, verb: &Method, route: &str, status: u16, count: usize) -> u32 {
        let status = StatusCode::from_u16(status).unwrap();
        (0..count).filter_map(|_| sampling.take(verb, route, status)).sum()
    }

    #[test]
    fn successful_reads_are_left_out_evenly_and_nothing_else() {
        let sampling = Sampling::new(&"10,sync.getBlob=0.01".parse().unwrap());
        let take = |route: &str| sampling.take(&Method::GET, route, StatusCode::OK);
        let lines: Vec<_> = (0..250).filter_map(|_| take("com.atproto.sync.getBlob")).collect();
        assert_eq!(lines, [100, 100, 100]);
        // Each method has its own.
        assert_eq!((take("com.atproto.sync.getRecord"), take("com.atproto.sync.getRecord")), (Some(10), None));
        assert_eq!((take("/xrpc/{method}"), take("/livez")), (Some(10), None));
        for (verb, status) in [(Method::GET, 404), (Method::GET, 503), (Method::POST, 200)] {
            assert_eq!(logged(&sampling, &verb, "com.atproto.sync.getBlob", status, 50), 50);
        }
        let all = Sampling::new(&LogSample::default());
        assert_eq!(logged(&all, &Method::GET, "com.atproto.sync.getBlob", 200, 50), 50);
        let one = Sampling::new(&"sync.getBlob=0.5".parse().unwrap());
        assert_eq!(logged(&one, &Method::GET, "com.atproto.sync.getRecord", 200, 7), 7);
    }

    #[test]
    fn refusals_for_a_rate_limit_have_so_many_lines_a_second_and_all_are_counted() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        let lines: Vec<_> = (0..1000).filter_map(|_| refusals.take(now)).collect();
        assert_eq!(lines, [1; 20]);
        assert_eq!(refusals.take(now + WHILE), Some(981));
        assert_eq!(refusals.take(now + WHILE), Some(1));
        let sampling = Sampling::new(&LogSample::default());
        assert_eq!(logged(&sampling, &Method::POST, "com.atproto.server.createSession", 429, 500), 20);
    }

    #[test]
    fn only_queries_of_this_server_are_named() {
        assert!(check(&"sync.getBlob=0.1,100".parse().unwrap()).is_ok());
        for name in ["repo.createRecord", "sync.getBlobs", "app.bsky.feed.searchPosts"] {
            let error = check(&format!("{name}=0.1").parse().unwrap()).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }
}
