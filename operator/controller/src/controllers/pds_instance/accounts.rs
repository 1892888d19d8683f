//! Asks a PDS now and then how many accounts it has.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};

use super::validate::Validated;
use crate::context::Ctx;
use crate::k8s::labels::{COMPONENT, of_instance};

const AGE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(2);

/// The number of accounts; nothing if no pod serves or none answers.
pub(super) async fn count(ctx: &Ctx, wanted: &Validated, ready: i32) -> Option<i64> {
    let uid = &wanted.owner.uid;
    if ready < 1 {
        return None;
    }
    if let Some(known) = ctx.accounts.get(uid, AGE) {
        return known;
    }
    let count = ask(ctx, wanted).await;
    ctx.accounts.put(uid.clone(), count);
    count
}

async fn ask(ctx: &Ctx, wanted: &Validated) -> Option<i64> {
    let pods = Api::<Pod>::namespaced(ctx.client.clone(), &wanted.namespace);
    let selector = format!("{},{COMPONENT}=pds", of_instance(&wanted.names.0));
    let pods = pods.list(&ListParams::default().labels(&selector)).await.ok()?;
    let address = pods.into_iter().filter(is_ready).find_map(|pod| pod.status?.pod_ip)?;
    let host = if address.contains(':') { format!("[{address}]") } else { address };
    ctx.metrics.scraped();
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().ok()?;
    let response = client.get(format!("http://{host}:9464/metrics")).send().await.ok()?;
    parse(&response.error_for_status().ok()?.text().await.ok()?)
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|list| list.iter().any(|found| found.type_ == "Ready" && found.status == "True"))
}

fn parse(text: &str) -> Option<i64> {
    text.lines().find_map(|line| line.strip_prefix("aurora_accounts ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_the_gauge() {
        assert_eq!(parse("# HELP aurora_accounts Accounts\naurora_accounts 12\n"), Some(12));
        assert_eq!(parse("aurora_accounts_total 12\n"), None);
    }
}
