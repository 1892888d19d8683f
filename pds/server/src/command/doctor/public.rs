//! The public name: DNS, TLS, and whether this server answers there, also with websockets and for handles below its domains.

use std::{collections::BTreeSet, net::IpAddr};

use pds_config::Settings;

use super::{
    finding::Finding,
    http::{Answer, Http},
};
use crate::clock::{Clock, SystemClock};

/// Days before the end of a certificate from which on it should have been renewed.
const SOON_DAYS: i64 = 14;

pub(super) async fn check(settings: &Settings, http: &Http) -> Vec<Finding> {
    let (service, mut findings) = (&settings.service, Vec::new());
    if service.hostname == "localhost" {
        let text = "PDS_HOSTNAME is localhost: nobody else can reach this server";
        let advice = "Set PDS_HOSTNAME to the public name before the first account is made: identities contain it.";
        findings.push(Finding::warn("public name", text, advice));
        findings.extend(own_url(settings, http).await);
        return findings;
    }
    let addresses = match http.addresses(&service.hostname).await {
        Ok(addresses) => addresses,
        Err(error) => {
            let text = format!("{} has no address: {error}", service.hostname);
            return vec![Finding::fail("DNS", text, "Add an A or AAAA record that leads to this server or its proxy.")];
        }
    };
    let list = |addresses: &BTreeSet<IpAddr>| addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    findings.push(Finding::ok("DNS", format!("{} leads to {}", service.hostname, list(&addresses))));
    findings.extend(own_url(settings, http).await);
    for domain in settings.identity.handle_domains.iter().filter(|domain| *domain != ".test") {
        findings.push(handles(domain, http).await);
    }
    findings
}

/// Whether this server answers at its public URL.
async fn own_url(settings: &Settings, http: &Http) -> Vec<Finding> {
    let url = settings.service.public_url();
    let answer = match http.get(&format!("{url}/xrpc/com.atproto.server.describeServer")).await {
        Ok(answer) => answer,
        Err(error) => {
            let advice = "Check that `pds serve` and the proxy run, that the firewall is open, and that the certificate is valid for this name; docs/how-to/behind-a-proxy.md.";
            return vec![Finding::fail("public URL", format!("{url} does not answer: {error}"), advice)];
        }
    };
    let mut findings = Vec::new();
    let did = settings.service.did.as_str();
    findings.push(match (answer.status, answer.body["did"].as_str()) {
        (200, Some(theirs)) if theirs == did => Finding::ok("public URL", format!("this server answers at {url}")),
        (200, Some(theirs)) => {
            let text = format!("at {url} another server answers: {theirs} instead of {did}");
            Finding::fail("public URL", text, "Let DNS and the proxy lead to this server, or correct PDS_HOSTNAME.")
        }
        (status, _) => {
            let text = format!("at {url} something answers that is no PDS, with status {status}");
            Finding::fail("public URL", text, "Let the proxy pass all paths on to this server.")
        }
    });
    findings.extend(certificate(&answer));
    findings.push(match http.upgrade(&format!("{url}/xrpc/com.atproto.sync.subscribeRepos")).await {
        Ok(101) => Finding::ok("firehose", "websockets reach this server"),
        Ok(status) => {
            let text = format!("{url} answers a websocket with status {status}: relays get no events");
            Finding::fail("firehose", text, "Let the proxy pass Upgrade headers on; docs/how-to/behind-a-proxy.md.")
        }
        Err(error) => {
            Finding::fail("firehose", format!("a websocket fails: {error}"), "See docs/how-to/behind-a-proxy.md.")
        }
    });
    findings
}

fn certificate(answer: &Answer) -> Option<Finding> {
    let days = (answer.certificate_ends? - SystemClock.now_s()) / 86_400;
    let text = format!("the certificate is trusted and ends in {days} days");
    Some(match days < SOON_DAYS {
        true => Finding::warn("TLS", text, "Check what renews the certificate."),
        false => Finding::ok("TLS", text),
    })
}

/// Whether a name below a domain of handles leads here with a certificate that covers it.
async fn handles(domain: &str, http: &Http) -> Finding {
    const NAME: &str = "handles";
    let host = format!("doctor-{:08x}{domain}", rand::random::<u32>());
    if let Err(error) = http.addresses(&host).await {
        let text = format!("names below {domain} have no address: {error}");
        return Finding::fail(
            NAME,
            text,
            format!("Add a DNS record *{domain} that leads to this server or its proxy."),
        );
    }
    match http.get(&format!("https://{host}/.well-known/atproto-did")).await {
        // No account has this handle.
        Ok(Answer { status: 404, .. }) => Finding::ok(NAME, format!("names below {domain} reach this server")),
        Ok(Answer { status, .. }) => {
            let text = format!("https://{host}/.well-known/atproto-did answers with status {status} instead of 404");
            Finding::warn(
                NAME,
                text,
                format!("Let the proxy pass requests for *{domain} on to this server, with their Host header."),
            )
        }
        Err(error) => {
            let text = format!("names below {domain} do not answer: {error}");
            Finding::fail(
                NAME,
                text,
                format!(
                    "Use a certificate for *{domain}, or one that the proxy makes on demand, and let the proxy pass these names on."
                ),
            )
        }
    }
}
