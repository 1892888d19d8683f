//! How each PDS is told where things are. What both know has the same name and gets the same value.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use super::kind::Kind;
use crate::app_view;

/// What runs around the measured processes. `bench/run` starts it.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    /// Where the PDS keep their data and logs.
    pub(crate) folder: PathBuf,
    /// PostgreSQL and the S3 server.
    pub(crate) storage_pids: (u32, u32),
    pds: PathBuf,
    /// Node and the reference's script.
    reference: (PathBuf, PathBuf),
    plc_url: String,
    postgres_url: String,
    s3_endpoint: String,
    s3_key: (String, String),
    app_view: SocketAddr,
    log_requests: bool,
}

impl Services {
    pub(crate) fn from_env(app_view: SocketAddr, log_requests: bool) -> Result<Self> {
        let text = |name: &str| env::var(name).with_context(|| format!("{name} is not set; start with bench/run"));
        let pid = |name: &str| text(name)?.parse::<u32>().with_context(|| name.to_owned());
        Ok(Self {
            folder: text("AURORA_BENCH_FOLDER")?.into(),
            storage_pids: (pid("AURORA_BENCH_POSTGRES_PID")?, pid("AURORA_BENCH_S3_PID")?),
            pds: text("AURORA_BENCH_PDS")?.into(),
            reference: (text("AURORA_BENCH_NODE")?.into(), text("AURORA_BENCH_REFERENCE")?.into()),
            plc_url: text("AURORA_TEST_PLC_URL")?,
            postgres_url: text("AURORA_BENCH_POSTGRES_URL")?,
            s3_endpoint: text("AURORA_TEST_S3_ENDPOINT")?,
            s3_key: (text("AURORA_TEST_S3_ACCESS_KEY")?, text("AURORA_TEST_S3_SECRET_KEY")?),
            app_view,
            log_requests,
        })
    }
}

/// The program without its arguments, its environment set.
pub(super) fn command(kind: Kind, services: &Services, folder: &Path, port: u16, metrics_port: u16) -> Command {
    let mut command = match kind {
        Kind::Sqlite | Kind::Postgres => Command::new(&services.pds),
        Kind::Reference => {
            let (node, script) = &services.reference;
            let mut command = Command::new(node);
            command.arg(script);
            command
        }
    };
    command
        .env("PDS_PORT", port.to_string())
        .env("PDS_HOSTNAME", "localhost")
        .env("PDS_SERVICE_HANDLE_DOMAINS", ".test")
        .env("PDS_DEV_MODE", "true")
        .env("PDS_DATA_DIRECTORY", folder)
        .env("PDS_DID_PLC_URL", &services.plc_url)
        .env("PDS_INVITE_REQUIRED", "false")
        .env("PDS_RATE_LIMITS_ENABLED", "false")
        .env("PDS_BSKY_APP_VIEW_URL", format!("http://{}", services.app_view))
        .env("PDS_BSKY_APP_VIEW_DID", app_view::DID)
        .env("PDS_JWT_SECRET", "benchmark-secret-of-32-characters")
        .env("PDS_ADMIN_PASSWORD", "benchmark-admin")
        .env("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", "11".repeat(32));
    let disk = folder.join("blobs");
    match kind {
        Kind::Sqlite => command.env("PDS_BLOBSTORE_DISK_LOCATION", disk),
        Kind::Postgres => command
            .env("PDS_DATABASE_URL", &services.postgres_url)
            .env("PDS_BLOBSTORE_S3_BUCKET", "bench")
            .env("PDS_BLOBSTORE_S3_REGION", "us-east-1")
            .env("PDS_BLOBSTORE_S3_ENDPOINT", &services.s3_endpoint)
            .env("PDS_BLOBSTORE_S3_ACCESS_KEY_ID", &services.s3_key.0)
            .env("PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY", &services.s3_key.1),
        Kind::Reference => command.env("PDS_BLOBSTORE_DISK_LOCATION", disk).env("NODE_ENV", "production"),
    };
    if kind == Kind::Reference {
        // It logs nothing unless asked to.
        command.env("LOG_ENABLED", if services.log_requests { "true" } else { "false" });
    } else {
        command
            .env("PDS_METRICS_PORT", metrics_port.to_string())
            .env("PDS_KEY_ENCRYPTION_KEY", "22".repeat(32))
            .env("RUST_LOG", if services.log_requests { "info" } else { "warn" });
    }
    command
}
