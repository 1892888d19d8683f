//! A Redis server for one test, which can be killed and restarted.

use std::{
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use pds_limiter::{Limiter, Redis};
use tokio_util::sync::CancellationToken;

pub(crate) struct Server {
    port: u16,
    child: Option<Child>,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { port, child: None, folder: tempfile::tempdir().unwrap() };
        server.run();
        server
    }

    pub(crate) fn run(&mut self) {
        // The server under its other name: Debian's package of tools contains it without the service.
        let mut command = Command::new("redis-check-rdb");
        command.arg0("redis-server").args([
            "--port",
            &self.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("redis-tools is installed: e2e/cluster/packages"));
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "Redis does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    /// Sends SIGSTOP or SIGCONT.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }

    /// The output of `redis-cli`.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Number of runs of the script.
    pub(crate) fn scripts(&self) -> u32 {
        let stats = self.cli(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    }

    /// The limiter of a replica.
    pub(crate) async fn limiter(&self, prefix: &str) -> Replica {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let redis = Redis {
            url: format!("redis://127.0.0.1:{}", self.port),
            prefix: prefix.to_owned(),
            connections: 2,
            ca_bundle: None,
        };
        let shutdown = CancellationToken::new();
        let limiter = Limiter::sharing(&redis, shutdown.clone()).await.unwrap();
        Replica { limiter, shutdown }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) struct Replica {
    pub(crate) limiter: Limiter,
    pub(crate) shutdown: CancellationToken,
}

/// Waits until the limiter has detected the state of Redis.
pub(crate) async fn until(noticed: impl Fn() -> bool) {
    let waited = async {
        while !noticed() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited).await.expect("the limiter notices");
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
