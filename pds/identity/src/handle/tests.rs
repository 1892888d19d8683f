use std::{sync::Arc, time::Duration};

use super::*;
use crate::testing::{BROKEN, Web, Zone, name_server, ok, silent_name_server};

const DNS: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const HTTPS: &str = "did:plc:44ybard66vv44zksje25o7dz";

fn alice() -> Handle {
    "alice.example".parse().unwrap()
}

fn zone(texts: &[&str]) -> Zone {
    let zone = Zone::default();
    if !texts.is_empty() {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        zone.lock().unwrap().insert("_atproto.alice.example.".into(), texts);
    }
    zone
}

/// The web server of a handle, which responds with `answer` or 404.
async fn web(answer: Option<String>) -> (Web, Guard) {
    let answers: Vec<_> = answer.into_iter().map(|answer| ("/.well-known/atproto-did", answer)).collect();
    let web = Web::start("alice.example", &answers).await;
    let guard = web.guard(Arc::new(|_, _| true));
    (web, guard)
}

async fn ask(texts: &[&str], answer: Option<String>) -> Result<Did, Error> {
    let (_web, guard) = web(answer).await;
    HandleLookup::new(guard, &[name_server(zone(texts)).await], &[]).ask(&alice()).await
}

#[tokio::test]
async fn dns_counts_before_https_and_does_not_wait_for_it() {
    let dns = format!("did={DNS}");
    assert_eq!(ask(&[&dns], Some(ok(HTTPS))).await.unwrap().as_str(), DNS);
    // The web server never responds. Its timeout is much longer than this test.
    let silent = Web::start("alice.example", &[("/.well-known/atproto-did", String::new())]).await;
    let guard = silent.patient_guard(Arc::new(|_, _| true), Duration::from_secs(600));
    let lookup = HandleLookup::new(guard, &[name_server(zone(&[&dns])).await], &[]);
    let found = tokio::time::timeout(Duration::from_secs(10), lookup.ask(&alice())).await;
    assert_eq!(found.expect("nobody waits for the web server").unwrap().as_str(), DNS);
    assert_eq!(ask(&["v=spf1 -all", &dns], None).await.unwrap().as_str(), DNS);
}

#[tokio::test]
async fn https_is_enough() {
    assert_eq!(ask(&[], Some(ok(&format!("{HTTPS}\nmore")))).await.unwrap().as_str(), HTTPS);
    let (_silent, address) = silent_name_server().await;
    let (_web, guard) = web(Some(ok(HTTPS))).await;
    assert_eq!(HandleLookup::new(guard, &[address], &[]).ask(&alice()).await.unwrap().as_str(), HTTPS);
}

#[tokio::test]
async fn several_names_and_what_is_no_did_are_nothing() {
    let (one, other) = (format!("did={DNS}"), format!("did={HTTPS}"));
    for texts in [&[one.as_str(), other.as_str()][..], &[&one, "did=nonsense"], &["did=nonsense"], &[]] {
        assert!(matches!(ask(texts, Some(ok("<html>"))).await, Err(Error::NotFound(_))), "{texts:?}");
    }
}

#[tokio::test]
async fn silence_and_failure_are_not_a_no() {
    let (_silent, address) = silent_name_server().await;
    let (_web, guard) = web(None).await;
    let error = HandleLookup::new(guard, &[address], &[]).ask(&alice()).await;
    assert!(matches!(error, Err(Error::Unreachable { .. })), "{error:?}");
    let error = ask(&[BROKEN], None).await;
    assert!(matches!(error, Err(Error::Unreachable { .. })), "{error:?}");
}

#[tokio::test]
async fn backup_servers_are_asked_last_on_their_own_port() {
    let (_web, guard) = web(None).await;
    let (first, backup) = (name_server(zone(&[])).await, name_server(zone(&[&format!("did={DNS}")])).await);
    assert_eq!(HandleLookup::new(guard, &[first], &[backup]).ask(&alice()).await.unwrap().as_str(), DNS);
    let (_web, guard) = web(Some(ok(HTTPS))).await;
    assert_eq!(HandleLookup::new(guard, &[first], &[backup]).ask(&alice()).await.unwrap().as_str(), HTTPS);
}
