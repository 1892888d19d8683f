//! Requests to others, limited in time and size.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use pds_identity::Roots;
use reqwest::{
    Client, RequestBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    header::DATE,
    redirect,
};
use serde_json::Value;
use tokio::net::lookup_host;

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read.
const MOST: usize = 64 << 10;

/// A client that trusts the authorities of the settings, and finds hosts by `names`.
pub(super) struct Http {
    client: Client,
    names: Arc<dyn Resolve>,
}

/// Hosts as the system finds them.
pub(super) struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// What another server has answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Null if the body is not JSON.
    pub(super) body: Value,
    /// How far the other clock is ahead of this one, in seconds.
    pub(super) ahead_s: Option<i64>,
    /// When the certificate ends; seconds since 1970.
    pub(super) certificate_ends: Option<i64>,
}

impl Http {
    pub(super) fn new(roots: &Roots, names: Arc<dyn Resolve>) -> anyhow::Result<Self> {
        let client = roots.trusted_by(Client::builder().timeout(PATIENCE)).redirect(redirect::Policy::none());
        // A websocket needs HTTP/1.1.
        let client = client.tls_info(true).http1_only().dns_resolver(names.clone());
        Ok(Self { client: client.build().context("make an HTTP client")?, names })
    }

    pub(super) async fn get(&self, url: &str) -> Result<Answer, String> {
        send(self.client.get(url)).await
    }

    /// The addresses of a host, at least one.
    pub(super) async fn addresses(&self, host: &str) -> Result<BTreeSet<IpAddr>, String> {
        let name = host.parse().map_err(|_| format!("{host:?} is no name of a host"))?;
        let late = |_| format!("no name server has answered within {} s", PATIENCE.as_secs());
        let found = tokio::time::timeout(PATIENCE, self.names.resolve(name)).await.map_err(late)?;
        let found: BTreeSet<_> = found.map_err(|error| error.to_string())?.map(|address| address.ip()).collect();
        if found.is_empty() { Err("the answer is empty".to_owned()) } else { Ok(found) }
    }

    /// Asks for a websocket. Gives the status: 101 if there is one.
    pub(super) async fn upgrade(&self, url: &str) -> Result<u16, String> {
        let request = self.client.get(url).header("connection", "Upgrade").header("upgrade", "websocket");
        let request = request.header("sec-websocket-version", "13").header("sec-websocket-key", "cGRzIGRvY3RvciBhc2tz");
        Ok(request.send().await.map_err(|error| chain(&error))?.status().as_u16())
    }
}

async fn send(request: RequestBuilder) -> Result<Answer, String> {
    let mut answer = request.send().await.map_err(|error| chain(&error))?;
    let status = answer.status().as_u16();
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    let theirs = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp().as_second());
    let ours = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let ahead_s = theirs.zip(i64::try_from(ours).ok()).map(|(theirs, ours)| theirs - ours);
    let certificate = answer.extensions().get::<reqwest::tls::TlsInfo>().and_then(|tls| tls.peer_certificate());
    let certificate_ends = certificate.and_then(|der| {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        Some(certificate.validity().not_after.timestamp())
    });
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| chain(&error))? {
        body.extend_from_slice(&piece);
        if body.len() > MOST {
            break;
        }
    }
    Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default(), ahead_s, certificate_ends })
}

fn chain(error: &reqwest::Error) -> String {
    crate::report::chain(error)
}
