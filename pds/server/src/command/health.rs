//! `pds health`.

use std::time::Duration;

use anyhow::{Context, bail};
use pds_config::Settings;

use super::failure::Refusal;

/// Asks the server on this machine, on its metrics port.
pub(super) async fn health() -> anyhow::Result<()> {
    let settings = Settings::from_values(|name| std::env::var(name).ok()).map_err(Refusal::Settings)?;
    let port = settings.service.metrics_port;
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    // The server listens on both, where the system has both.
    let answer = match ask(&http, "127.0.0.1", port).await {
        Err(_) => ask(&http, "[::1]", port).await?,
        Ok(answer) => answer,
    };
    if !answer.status().is_success() {
        bail!("not ready: {}", answer.text().await.unwrap_or_default());
    }
    Ok(())
}

async fn ask(http: &reqwest::Client, host: &str, port: u16) -> anyhow::Result<reqwest::Response> {
    let url = format!("http://{host}:{port}/readyz");
    http.get(&url).send().await.with_context(|| format!("ask {url}"))
}
