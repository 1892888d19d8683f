//! The server's own TLS: certificate and key from files, read again when they change.

use std::{path::Path, time::Duration};

use anyhow::Context;
use axum_server::tls_rustls::RustlsConfig;
use pds_config::Tls;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at. A renewed certificate is valid long before the old one ends.
const LOOK: Duration = Duration::from_secs(10);

/// Loads the certificate and keeps it current until the server stops.
pub(super) async fn start(tls: &Tls, shutdown: CancellationToken) -> anyhow::Result<RustlsConfig> {
    let named = || format!("read the certificate {} and its key {}", tls.cert_file.display(), tls.key_file.display());
    // Before they are loaded: files that are replaced meanwhile are looked at again.
    let mut seen = contents(tls).await;
    let config = RustlsConfig::from_pem_file(&tls.cert_file, &tls.key_file).await.with_context(named)?;
    let (tls, current) = (tls.clone(), config.clone());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = contents(&tls).await;
            if now.is_none() || now == seen {
                continue;
            }
            match current.reload_from_pem_file(&tls.cert_file, &tls.key_file).await {
                Ok(()) => {
                    seen = now;
                    tracing::info!("the TLS certificate was renewed");
                }
                Err(error) => tracing::warn!(%error, "the new TLS certificate cannot be used; the old one stays"),
            }
        }
    });
    Ok(config)
}

async fn contents(tls: &Tls) -> Option<(Vec<u8>, Vec<u8>)> {
    let read = |path: &Path| tokio::fs::read(path.to_owned());
    Some((read(&tls.cert_file).await.ok()?, read(&tls.key_file).await.ok()?))
}
