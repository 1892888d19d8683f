//! The reference implementation as a server of its own, and scripts that speak to it and to this server.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{ADMIN_PASSWORD, free_port, variable};

/// How long it may take to start; Node loads some hundred packages, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server of the reference implementation. Killed when dropped.
pub(crate) struct Peer {
    child: Child,
    pub(crate) url: String,
    _folder: TempDir,
}

impl Peer {
    /// With the tests' PLC directory and further settings.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        // It refuses addresses as host names.
        let directory = variable("AURORA_TEST_PLC_URL").replace("127.0.0.1", "localhost");
        let log = folder.path().join("log");
        let file = std::fs::File::create(&log).unwrap();
        let mut command = Command::new(node());
        command
            .arg(Path::new(&variable("AURORA_REFERENCE_DIR")).join("server.mjs"))
            .current_dir(folder.path())
            .env_clear()
            .env("NODE_ENV", "production")
            .env("PDS_PORT", port.to_string())
            .env("PDS_HOSTNAME", "localhost")
            .env("PDS_DEV_MODE", "true")
            .env("PDS_DISABLE_SSRF_PROTECTION", "true")
            .env("PDS_DATA_DIRECTORY", folder.path())
            .env("PDS_BLOBSTORE_DISK_LOCATION", folder.path().join("blobs"))
            .env("PDS_DID_PLC_URL", directory)
            .env("PDS_INVITE_REQUIRED", "false")
            .env("PDS_RATE_LIMITS_ENABLED", "false")
            .env("PDS_CRAWLERS", "")
            .env("PDS_JWT_SECRET", "a-secret-of-thirty-two-characters")
            .env("PDS_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .env("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", "33".repeat(32))
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file);
        let peer = Self { child: command.spawn().unwrap(), url: format!("http://127.0.0.1:{port}"), _folder: folder };
        let (http, began) = (reqwest::Client::new(), Instant::now());
        let health = format!("{}/xrpc/_health", peer.url);
        while !http.get(&health).send().await.is_ok_and(|answer| answer.status() == 200) {
            let said = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "the reference did not start: {}", said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        peer
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a script with a task and returns what it prints.
pub(crate) async fn script(file: PathBuf, task: &Value) -> Value {
    let mut command = Command::new(node());
    command.arg(&file).arg(task.to_string());
    // Servers of the test are in this process.
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Node itself, without the script that finds it: what is killed is the server then.
fn node() -> &'static Path {
    static NODE: OnceLock<PathBuf> = OnceLock::new();
    NODE.get_or_init(|| {
        let finder = Path::new(&variable("AURORA_NPM_DIR")).join("node");
        let output = Command::new(finder).args(["-p", "process.execPath"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}
