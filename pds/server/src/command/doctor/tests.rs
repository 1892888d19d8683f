//! DNS, TLS, names of handles and relays, with names and servers of the test's own.

use std::{collections::HashMap, net::SocketAddr};

use axum::{
    Json, Router,
    extract::Query,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use axum_server::tls_rustls::RustlsConfig;
use pds_identity::Roots;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde_json::{Value, json};

use super::*;

const HOST: &str = "pds.example.com";

/// Knows hosts, and with a leading dot all names below one. The port in an address is used instead of 443.
struct Names(HashMap<String, SocketAddr>);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let below = name.as_str().split_once('.').map(|(_, parent)| format!(".{parent}"));
        let found = self.0.get(name.as_str()).or_else(|| self.0.get(&below?)).copied();
        Box::pin(async move {
            let found = found.ok_or_else(|| std::io::Error::other("no such name"))?;
            Ok(Box::new(std::iter::once(found)) as Addrs)
        })
    }
}

/// A server with a certificate for these names that ends in so many days. Gives its address and the certificate.
async fn server(names: &[&str], days: i64, routes: Router) -> (SocketAddr, String) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut params = rcgen::CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    let end = jiff::Timestamp::now() + jiff::Span::new().hours(24 * days);
    let end = end.to_zoned(jiff::tz::TimeZone::UTC);
    params.not_after = rcgen::date_time_ymd(end.year().into(), end.month().unsigned_abs(), end.day().unsigned_abs());
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let config = RustlsConfig::from_pem(certificate.clone().into(), key.serialize_pem().into()).await.unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let server = axum_server::from_tcp_rustls(listener, config).unwrap();
    tokio::spawn(server.serve(routes.into_make_service()));
    (address, certificate)
}

/// What this server answers at its public name, with this status for a handle that nobody has.
fn pds(handle: StatusCode) -> Router {
    let websocket = || async {
        (StatusCode::SWITCHING_PROTOCOLS, [(header::CONNECTION, "upgrade"), (header::UPGRADE, "websocket")])
    };
    Router::new()
        .route(
            "/xrpc/com.atproto.server.describeServer",
            get(|| async { Json(json!({"did": "did:web:pds.example.com"})) }),
        )
        .route("/xrpc/com.atproto.sync.subscribeRepos", get(websocket))
        .route("/.well-known/atproto-did", get(move || async move { handle }))
        .route("/_health", get(|| async { "{}" }))
}

fn settings(more: &[(&str, &str)]) -> Settings {
    let own = [("PDS_HOSTNAME", HOST), ("PDS_DID_PLC_URL", "https://plc.example.com")];
    let find =
        |name: &str| more.iter().chain(&own).find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Settings::from_values(find).unwrap()
}

fn http(names: &[(&str, SocketAddr)], certificate: &str) -> Http {
    let names = names.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
    Http::new(&Roots::with_pem(certificate).unwrap(), Arc::new(Names(names))).unwrap()
}

/// Level and text of the findings about a subject.
fn about(findings: &[Finding], subject: &str) -> Vec<(String, String)> {
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let found = findings.iter().map(Finding::to_json).filter(|finding| finding["subject"] == subject);
    found.map(|finding| (text(&finding, "level"), text(&finding, "text") + " / " + &text(&finding, "advice"))).collect()
}

#[track_caller]
fn assert_one(findings: &[Finding], subject: &str, level: &str, words: &[&str]) {
    let found = about(findings, subject);
    let [(found_level, text)] = &found[..] else { panic!("{subject}: {found:?}") };
    assert!(found_level == level && words.iter().all(|word| text.contains(word)), "{subject}: {found:?}");
}

#[tokio::test]
async fn a_public_host_is_found_and_answers_for_its_handles() {
    let names = [HOST, "*.pds.example.com", "*.users.example.com"];
    let (address, certificate) = server(&names, 90, pds(StatusCode::NOT_FOUND)).await;
    let settings = settings(&[("PDS_SERVICE_HANDLE_DOMAINS", ".pds.example.com,.users.example.com,.lost.example.com")]);
    let known = [(HOST, address), (".pds.example.com", address), (".users.example.com", address)];
    let findings = public::check(&settings, &http(&known, &certificate)).await;
    assert_one(&findings, "DNS", "ok", &["pds.example.com leads to 127.0.0.1"]);
    assert_one(&findings, "public URL", "ok", &["https://pds.example.com"]);
    assert_one(&findings, "firehose", "ok", &[]);
    assert_one(&findings, "TLS", "ok", &["ends in 8"]);
    let handles = about(&findings, "handles");
    let levels: Vec<_> = handles.iter().map(|(level, _)| level.as_str()).collect();
    assert_eq!(levels, ["ok", "ok", "fail"], "{handles:?}");
    assert!(handles[2].1.contains("no such name") && handles[2].1.contains("*.lost.example.com"), "{handles:?}");
}

#[tokio::test]
async fn certificates_and_proxies_that_leave_names_out_are_named() {
    // No name below the host, and soon over.
    let (address, certificate) = server(&[HOST], 5, pds(StatusCode::NOT_FOUND)).await;
    let known = [(HOST, address), (".pds.example.com", address)];
    let findings = public::check(&settings(&[]), &http(&known, &certificate)).await;
    assert_one(&findings, "TLS", "warn", &["ends in 4 days", "renews"]);
    assert_one(&findings, "handles", "fail", &["do not answer", "certificate for *.pds.example.com"]);
    // A proxy that keeps these names for itself.
    let (address, certificate) = server(&[HOST, "*.pds.example.com"], 90, pds(StatusCode::OK)).await;
    let known = [(HOST, address), (".pds.example.com", address)];
    let findings = public::check(&settings(&[]), &http(&known, &certificate)).await;
    assert_one(&findings, "handles", "warn", &["status 200 instead of 404", "Host header"]);
    // A certificate of nobody.
    let (_, other) = server(&["other.example.com"], 90, Router::new()).await;
    let findings = public::check(&settings(&[]), &http(&known, &other)).await;
    assert_one(&findings, "public URL", "fail", &["does not answer", "certificate"]);
    // No address: nothing else is looked at.
    let findings = public::check(&settings(&[]), &http(&[], &certificate)).await;
    assert_one(&findings, "DNS", "fail", &["pds.example.com has no address", "A or AAAA"]);
    assert_eq!(findings.len(), 1);
    // Another server at the name.
    let other = Router::new().route(
        "/xrpc/com.atproto.server.describeServer",
        get(|| async { Json(json!({"did": "did:web:other.example"})) }),
    );
    let (address, certificate) = server(&[HOST], 90, other).await;
    let findings = public::check(&settings(&[]), &http(&[(HOST, address)], &certificate)).await;
    assert_one(&findings, "public URL", "fail", &["another server answers: did:web:other.example"]);
    assert_one(&findings, "firehose", "fail", &["status 404"]);
}

#[tokio::test]
async fn each_answer_of_a_relay_has_its_finding() {
    // AL-FED-3
    let relay = |Query(asked): Query<HashMap<String, String>>, headers: axum::http::HeaderMap| async move {
        let host = headers[header::HOST].to_str().unwrap().split('.').next().unwrap().to_owned();
        assert_eq!(asked["hostname"], HOST);
        match host.as_str() {
            "unknown" => (StatusCode::BAD_REQUEST, Json(json!({"error": "HostNotFound"}))).into_response(),
            "old" => (StatusCode::NOT_FOUND, "none").into_response(),
            status => Json(json!({"hostname": HOST, "status": status, "seq": 7})).into_response(),
        }
    };
    let routes = pds(StatusCode::NOT_FOUND).route("/xrpc/com.atproto.sync.getHostStatus", get(relay));
    let (address, certificate) = server(&["*.example.com"], 90, routes).await;
    let settings_of = |relay: &str| settings(&[("PDS_CRAWLERS", relay)]);
    let known = [(".example.com", address)];
    let http = http(&known, &certificate);
    for (relay, level, words) in [
        ("active", "ok", "active, it has read event 7 of 9"),
        ("idle", "ok", "idle, it has read event 7 of 9"),
        ("banned", "fail", "has banned this server"),
        ("throttled", "warn", "throttles this server"),
        ("offline", "fail", "does not reach this server: offline"),
        ("unknown", "warn", "does not know this server / Run `pds admin request-crawl https://unknown.example.com`"),
        ("old", "warn", "does not say whether it crawls this server: status 404"),
    ] {
        let url = format!("https://{relay}.example.com");
        let findings = outside::check(&settings_of(&url), &http, Some(9)).await;
        assert_one(&findings, "relays", level, &[&url, words]);
        assert_one(&findings, "PLC directory", "ok", &[]);
        assert_one(&findings, "clock", "ok", &["differs"]);
    }
    let findings = outside::check(&settings_of("https://relay.elsewhere.org"), &http, None).await;
    assert_one(&findings, "relays", "fail", &["https://relay.elsewhere.org does not answer", "PDS_CRAWLERS"]);
    assert_one(&outside::check(&settings(&[]), &http, None).await, "relays", "warn", &["no relay is told"]);
}
