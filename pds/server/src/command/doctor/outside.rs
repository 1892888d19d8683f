//! The PLC directory, the clock, and the relays.

use pds_config::Settings;
use url::Url;

use super::{
    finding::Finding,
    http::{Answer, Http},
};

/// Seconds that this clock may differ from others: tokens of services live for a minute. `Date` has whole seconds, and answers take a while.
const SKEW_S: u64 = 5;
const TOO_MUCH_S: u64 = 30;

/// `head` is the number of the newest event of this server.
pub(super) async fn check(settings: &Settings, http: &Http, head: Option<i64>) -> Vec<Finding> {
    let mut findings = directory(settings, http).await;
    let relays = &settings.sync.crawlers;
    if relays.is_empty() {
        let text = "PDS_CRAWLERS is not set: no relay is told of new posts";
        findings.push(Finding::warn(
            "relays",
            text,
            "Set PDS_CRAWLERS=https://bsky.network to be seen in the Bluesky app.",
        ));
    }
    for relay in relays {
        findings.push(crawled(relay, &settings.service.hostname, http, head).await);
    }
    findings
}

async fn directory(settings: &Settings, http: &Http) -> Vec<Finding> {
    const NAME: &str = "PLC directory";
    let url = settings.identity.plc_url.as_str().trim_end_matches('/');
    match http.get(&format!("{url}/_health")).await {
        Ok(answer) => {
            let health = match answer.status {
                200 => Finding::ok(NAME, format!("{url} answers")),
                status => Finding::fail(
                    NAME,
                    format!("{url} answers with status {status}"),
                    "Check PDS_DID_PLC_URL; otherwise wait.",
                ),
            };
            [Some(health), clock(&answer, url)].into_iter().flatten().collect()
        }
        Err(error) => {
            let advice = "Check PDS_DID_PLC_URL, and that this machine may make requests to it: without it no account can be made or moved.";
            vec![Finding::fail(NAME, format!("{url} does not answer: {error}"), advice)]
        }
    }
}

fn clock(answer: &Answer, url: &str) -> Option<Finding> {
    let apart = answer.ahead_s?.unsigned_abs();
    let text = format!("this clock differs from that of {url} by {apart} s");
    let advice = "Let this machine take its time from NTP: tokens for other services live for a minute.";
    Some(match apart {
        TOO_MUCH_S.. => Finding::fail("clock", text, advice),
        SKEW_S.. => Finding::warn("clock", text, advice),
        _ => Finding::ok("clock", text),
    })
}

/// What a relay says about this server.
async fn crawled(relay: &Url, hostname: &str, http: &Http, head: Option<i64>) -> Finding {
    const NAME: &str = "relays";
    let origin = relay.as_str().trim_end_matches('/');
    let answer = http.get(&format!("{origin}/xrpc/com.atproto.sync.getHostStatus?hostname={hostname}")).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Finding::fail(NAME, format!("{origin} does not answer: {error}"), "Check PDS_CRAWLERS."),
    };
    let ask = format!("Run `pds admin request-crawl {origin}` once the public URL works.");
    match (answer.status, answer.body["status"].as_str(), answer.body["error"].as_str()) {
        (200, Some(status @ ("active" | "idle")), _) => {
            let read = match (answer.body["seq"].as_i64(), head) {
                (Some(seq), Some(head)) => format!(", it has read event {seq} of {head}"),
                _ => String::new(),
            };
            Finding::ok(NAME, format!("{origin} crawls this server: {status}{read}"))
        }
        (200, Some("banned"), _) => {
            Finding::fail(NAME, format!("{origin} has banned this server"), "Write to the operator of the relay.")
        }
        (200, Some("throttled"), _) => Finding::warn(
            NAME,
            format!("{origin} throttles this server"),
            "Ask the operator of the relay for a higher limit of accounts.",
        ),
        (200, Some(status), _) => Finding::fail(NAME, format!("{origin} does not reach this server: {status}"), ask),
        (_, _, Some("HostNotFound")) => Finding::warn(NAME, format!("{origin} does not know this server"), ask),
        (status, ..) => Finding::warn(
            NAME,
            format!("{origin} does not say whether it crawls this server: status {status}"),
            "Look at the relay's own page.",
        ),
    }
}
