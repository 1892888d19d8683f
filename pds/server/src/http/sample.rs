//! Which of the lines about requests are logged: of successful reads those that the settings say, of refusals for a rate limit so many a second, and
//! all others.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use axum::http::{Method, StatusCode};
use pds_config::LogSample;
use pds_lexicon::{Catalog, Kind};
use pds_store::lines::Lines;

use crate::api::table::METHODS;

/// Lines about refusals for a rate limit in a second. A client can cause thousands.
const REFUSALS: u32 = 20;

/// The lines about each route that were left out since the last one that was logged.
#[derive(Debug)]
pub struct Sampling {
    refusals: Lines,
    /// By NSID.
    methods: HashMap<&'static str, Share>,
    /// All other routes together.
    others: Option<Share>,
}

/// A line that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The number of requests to its route that it stands for, if it is more than one.
    pub(super) stands_for: Option<u32>,
    /// Lines about refusals, of whichever route, that were left out before it.
    pub(super) left_out: Option<u64>,
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
        Self { refusals: Lines::new(REFUSALS), methods, others: sample.reads.map(Share::one_in) }
    }

    /// The line about this answer; `None` if it is left out.
    pub(super) fn take(&self, verb: &Method, route: &str, status: StatusCode) -> Option<Line> {
        if status == StatusCode::TOO_MANY_REQUESTS {
            let left_out = self.refusals.take(Instant::now())?;
            return Some(Line { stands_for: None, left_out: (left_out > 0).then_some(left_out) });
        }
        let every = self.every(verb, route, status)?;
        Some(Line { stands_for: (every > 1).then_some(every), left_out: None })
    }

    fn every(&self, verb: &Method, route: &str, status: StatusCode) -> Option<u32> {
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
        (0..count).filter_map(|_| sampling.every(verb, route, status)).sum()
    }

    #[test]
    fn successful_reads_are_left_out_evenly_and_nothing_else() {
        let sampling = Sampling::new(&"10,sync.getBlob=0.01".parse().unwrap());
        let take = |route: &str| sampling.every(&Method::GET, route, StatusCode::OK);
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
    fn refusals_for_a_rate_limit_have_so_many_lines_a_second() {
        let sampling = Sampling::new(&LogSample::default());
        let take = || sampling.take(&Method::POST, "com.atproto.server.createSession", StatusCode::TOO_MANY_REQUESTS);
        let lines: Vec<_> = (0..500).filter_map(|_| take()).collect();
        // A second may end meanwhile.
        assert!((20..=40).contains(&lines.len()), "{lines:?}");
        assert!(lines.iter().all(|line| line.stands_for.is_none()), "{lines:?}");
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
