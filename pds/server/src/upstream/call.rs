//! A call and its answer.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, uri::PathAndQuery};

use super::{Incoming, Outgoing, Service};
use crate::rate_limit::Client;

/// A request to a service.
pub struct Call {
    pub service: Service,
    pub method: Method,
    pub path: PathAndQuery,
    /// All headers but `Host` and those of the transfer.
    pub headers: HeaderMap,
    pub body: Outgoing,
    /// The account whose calls are counted together: its DID, or an address without one.
    pub caller: Arc<str>,
    /// Who waits for the answer.
    pub client: Client,
}

/// A service's answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Incoming,
}
