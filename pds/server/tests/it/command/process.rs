//! `pds` as a child process with an environment of its own.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder};

/// A server that is ready. Killed when dropped.
pub(super) struct Pds {
    child: Child,
    port: u16,
    metrics_port: u16,
    log: PathBuf,
    http: reqwest::Client,
}

/// How long a condition may take; a debug build on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

fn command(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pds"));
    command.args(arguments).current_dir(folder).env_clear().envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Runs `pds` to its end.
pub(super) fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    command(folder, arguments, variables).stderr(Stdio::piped()).output().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Pds {
    /// `pds serve` in `folder`, once it is ready.
    pub(super) async fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let (port, metrics_port) = (free_port(), free_port());
        let mut serve = command(folder, &["serve"], variables);
        serve.env("PDS_PORT", port.to_string()).env("PDS_METRICS_PORT", metrics_port.to_string());
        let log = folder.join("log");
        let child = serve.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let pds = Self { child, port, metrics_port, log, http: reqwest::Client::new() };
        pds.until("/readyz", 200).await;
        pds
    }

    /// What `pds health` needs to find this server.
    pub(super) fn variables(&self) -> Vec<(&'static str, &'static str)> {
        vec![("PDS_METRICS_PORT", self.metrics_port.to_string().leak())]
    }

    /// Of the public port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://127.0.0.1:{}{path}", self.port))
    }

    /// What was logged so far, one line per event.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until the metrics port answers so.
    pub(super) async fn until(&self, path: &str, status: u16) {
        let (url, began) = (format!("http://127.0.0.1:{}{path}", self.metrics_port), Instant::now());
        loop {
            if self.http.get(&url).send().await.is_ok_and(|answer| answer.status().as_u16() == status) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{url} does not answer {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends SIGTERM.
    pub(super) fn terminate(&self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
    }

    pub(super) async fn ended(mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Pds {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
