//! Asks every PDS now and then how many accounts it has and whether its storage works.
//!
//! Apart from reconciliation: a few requests at a time, spread over the interval. A pod is a tenant's: its answer is bounded in bytes and
//! time, and a redirect is not followed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use operator_api::PdsInstance;
use tokio::sync::mpsc;

use crate::context::Ctx;
use crate::kinds::pds_instance::component::server;
use crate::scrape::{COARSE, EVERY, Scrape};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most bytes of an answer.
const MOST_BYTES: usize = 1 << 20;

/// Questions at the same time.
const AT_ONCE: usize = 16;

/// Asks all instances with ready pods, again and again. Sends each instance that told something new.
pub(crate) async fn run(
    ctx: Arc<Ctx>,
    ready: impl Fn() -> Vec<Arc<PdsInstance>>,
    news: mpsc::Sender<ObjectRef<PdsInstance>>,
) {
    let Ok(http) = client() else { return };
    let mut asked: HashMap<String, Instant> = HashMap::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        asked.retain(|_, since| since.elapsed() < EVERY);
        let due = ready().into_iter().filter_map(|pds| Some((pds.uid()?, pds)));
        let due: Vec<_> =
            due.filter(|(uid, _)| !asked.contains_key(uid) && ctx.scrapes.is_due(uid)).take(AT_ONCE * 4).collect();
        asked.extend(due.iter().map(|(uid, _)| (uid.clone(), Instant::now())));
        let answers = futures::stream::iter(due).map(|(uid, pds)| {
            let (ctx, http) = (ctx.clone(), http.clone());
            async move {
                let scrape = ask(&ctx, &http, &pds).await?;
                ctx.scrapes.put(&uid, scrape).then(|| ObjectRef::from_obj(&*pds))
            }
        });
        let mut answers = answers.buffer_unordered(AT_ONCE);
        while let Some(answer) = answers.next().await {
            if let Some(reference) = answer
                && news.send(reference).await.is_err()
            {
                return;
            }
        }
    }
}

fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
}

async fn ask(ctx: &Ctx, http: &reqwest::Client, pds: &PdsInstance) -> Option<Scrape> {
    let service = ctx.caches.of::<Service>()?.get(&pds.namespace()?, &server::metrics_name(&pds.name_any()))?;
    let address = service.spec.as_ref()?.cluster_ip.clone().filter(|address| address != "None")?;
    let host = if address.contains(':') { format!("[{address}]") } else { address };
    ctx.pages.metrics.scraped();
    fetch(http, &format!("http://{host}:9464/metrics")).await
}

/// What a page tells; nothing if it is no page of metrics: another status than 200, a body that is too long, no answer in time.
async fn fetch(http: &reqwest::Client, url: &str) -> Option<Scrape> {
    let mut response = http.get(url).send().await.ok()?;
    if response.status() != reqwest::StatusCode::OK {
        return None;
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if text.len() + chunk.len() > MOST_BYTES {
            return None;
        }
        text.extend_from_slice(&chunk);
    }
    Some(parse(std::str::from_utf8(&text).ok()?))
}

fn parse(text: &str) -> Scrape {
    let gauge = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        value.trim().parse::<i64>().ok()
    };
    let bytes = |name: &str| gauge(name).and_then(|bytes| u64::try_from(bytes).ok());
    let (size, available) = (bytes("aurora_data_volume_size_bytes"), bytes("aurora_data_volume_available_bytes"));
    Scrape {
        accounts: gauge("aurora_accounts"),
        blob_store_up: gauge("aurora_blob_store_up").map(|up| up == 1),
        database_full: gauge("aurora_database_full") == Some(1),
        database_size: bytes("aurora_database_size_bytes").map(|bytes| bytes / COARSE),
        data_volume_percent: size.zip(available).and_then(|(size, available)| {
            let used = size.checked_sub(available)?.checked_mul(100)?.checked_div(size)?;
            u8::try_from(used).ok()
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers every question with these bytes, or with silence. Gives the URL, and how often it was asked.
    async fn pod(answer: Vec<u8>) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                if stream.read(&mut [0; 4096]).await.is_ok_and(|bytes| bytes > 0) {
                    stream.write_all(&answer).await.ok();
                }
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
            }
        });
        (url, asked)
    }

    /// A page of this length that tells of 12 accounts.
    fn page(bytes: usize) -> Vec<u8> {
        let mut page = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        let text = b"aurora_accounts 12\n#";
        page.extend_from_slice(text);
        page.resize(page.len() + bytes - text.len(), b'x');
        page
    }

    #[tokio::test]
    async fn an_answer_is_bounded_and_leads_nowhere_else() {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let http = client().unwrap();
        let ask = async |answer: Vec<u8>| fetch(&http, &pod(answer).await.0).await;
        let accounts = Some(Scrape { accounts: Some(12), ..Scrape::default() });
        assert_eq!(ask(page(MOST_BYTES)).await, accounts);
        assert_eq!(ask(page(MOST_BYTES + 1)).await, None);

        let (target, asked) = pod(page(100)).await;
        let body = "aurora_accounts 12\n";
        let redirect =
            format!("HTTP/1.1 301 Moved\r\nlocation: {target}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        assert_eq!(ask(redirect.into_bytes()).await, None);
        assert_eq!(asked.load(Ordering::SeqCst), 0, "the target of the redirect is not asked");

        let began = Instant::now();
        assert_eq!(ask(Vec::new()).await, None);
        assert!(began.elapsed() < PATIENCE * 3, "{:?}", began.elapsed());
    }

    #[test]
    fn reads_the_gauges() {
        let text = "# HELP aurora_accounts Accounts\naurora_accounts 12\naurora_blob_store_up 0\naurora_database_full 1\n\
            aurora_database_size_bytes 33554433\naurora_data_volume_size_bytes 1000\naurora_data_volume_available_bytes 101\n";
        let scrape = Scrape {
            accounts: Some(12),
            blob_store_up: Some(false),
            database_full: true,
            database_size: Some(2),
            data_volume_percent: Some(89),
        };
        assert_eq!(parse(text), scrape);
        assert_eq!(parse("aurora_accounts_total 12\n"), Scrape::default());
    }
}
