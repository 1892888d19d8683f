//! `pds admin request-crawl`.

use anyhow::{Context, ensure};
use clap::Args;
use pds_identity::Roots;
use serde_json::json;
use url::Url;

use super::{
    super::settings,
    output::{Column, Output, text},
    server::{answer, client},
};
use crate::outside::roots;

const METHOD: &str = "com.atproto.sync.requestCrawl";

#[derive(Debug, Args)]
pub(super) struct RequestCrawl {
    /// URLs of the relays. Without any: those in PDS_CRAWLERS.
    relays: Vec<Url>,
}

/// Asks each relay. Needs no administrator's password: relays ask back at the server itself.
pub(super) async fn run(request: &RequestCrawl, server: Option<&str>, output: Output) -> anyhow::Result<()> {
    let (name, relays, roots) = match server {
        Some(server) => {
            let url = Url::parse(server).ok();
            let host = url.as_ref().and_then(Url::host_str);
            let host = host.with_context(|| format!("--server {server:?} is not a URL; allowed: https://HOST"))?;
            ensure!(!request.relays.is_empty(), "with --server, name the relays to ask, such as https://bsky.network");
            (host.to_owned(), request.relays.clone(), Roots::default())
        }
        None => {
            let (settings, secrets, _) = settings::load()?;
            let relays =
                if request.relays.is_empty() { settings.sync.crawlers.clone() } else { request.relays.clone() };
            ensure!(
                !relays.is_empty(),
                "PDS_CRAWLERS is not set: name the relays to ask, such as https://bsky.network"
            );
            (settings.service.hostname.clone(), relays, roots(&secrets)?)
        }
    };
    let http = client(&roots, None)?;
    let (mut asked, mut failed) = (Vec::new(), Vec::new());
    for relay in relays {
        let url = format!("{}/xrpc/{METHOD}", relay.as_str().trim_end_matches('/'));
        match answer(METHOD, relay.as_str(), http.post(url).json(&json!({"hostname": name}))).await {
            Ok(_) => asked.push(json!({"relay": relay, "hostname": name})),
            Err(error) => failed.push(format!("{error:#}")),
        }
    }
    let columns: [Column; 2] = [("RELAY", |row| text(row, "relay")), ("ASKED TO CRAWL", |row| text(row, "hostname"))];
    output.list(&asked, &columns)?;
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}
