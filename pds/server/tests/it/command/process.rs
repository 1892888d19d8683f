//! `pds` as a child process with an environment of its own.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder};

use crate::harness::free_port;

/// A server that is ready. Killed when dropped.
pub(crate) struct Pds {
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
pub(crate) fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    command(folder, arguments, variables).stderr(Stdio::piped()).output().unwrap()
}

/// Starts `pds`; its end is the caller's.
pub(crate) fn spawn(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
    command(folder, arguments, variables).stderr(Stdio::null()).spawn().unwrap()
}

/// Runs `pds` to its end with this text on its standard input. Keeps what it prints.
pub(crate) fn print(folder: &Path, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Output {
    let mut command = command(folder, arguments, variables);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

impl Pds {
    /// `pds serve` in `folder`, once it is ready.
    pub(crate) async fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let pds = Self::spawn(folder, variables);
        pds.ready().await;
        pds
    }

    /// `pds serve` in `folder`, as soon as it is a process. Its log goes behind what is there.
    pub(crate) fn spawn(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let [port, metrics_port] = [free_port(), free_port()];
        let mut serve = command(folder, &["serve"], variables);
        serve.env("PDS_PORT", port.to_string()).env("PDS_METRICS_PORT", metrics_port.to_string());
        let log = folder.join("log");
        let file = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let child = serve.stderr(file).spawn().unwrap();
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self { child, port, metrics_port, log, http: reqwest::Client::new() }
    }

    pub(crate) async fn ready(&self) {
        self.until("/readyz", 200).await;
    }

    /// Sends SIGKILL and waits until nothing is left of the process.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// What `pds health` needs to find this server.
    pub(super) fn variables(&self) -> Vec<(&'static str, &'static str)> {
        vec![("PDS_METRICS_PORT", self.metrics_port.to_string().leak())]
    }

    /// Of the public port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Of metrics and health.
    pub(super) fn metrics_port(&self) -> u16 {
        self.metrics_port
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://127.0.0.1:{}{path}", self.port))
    }

    /// Memory that is its own: the program's text and files do not count.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// What was logged so far, one line per event.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// What `/metrics` says.
    pub(crate) async fn metrics(&self) -> String {
        let answer = self.http.get(format!("http://127.0.0.1:{}/metrics", self.metrics_port)).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// What `/readyz` says: status and body.
    pub(crate) async fn readiness(&self) -> (u16, serde_json::Value) {
        let answer = self.http.get(format!("http://127.0.0.1:{}/readyz", self.metrics_port)).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Waits until the metrics port answers so.
    pub(crate) async fn until(&self, path: &str, status: u16) {
        let (url, began) = (format!("http://127.0.0.1:{}{path}", self.metrics_port), Instant::now());
        loop {
            if self.http.get(&url).send().await.is_ok_and(|answer| answer.status().as_u16() == status) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{url} does not answer {status}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
    }

    pub(crate) async fn ended(mut self) -> ExitStatus {
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
