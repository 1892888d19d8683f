//! A Redis of a test's own, which can be killed and started again.

use std::{
    net::TcpStream,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::free_port;

pub(crate) struct Redis {
    port: u16,
    child: Option<Child>,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let port = free_port();
        let mut redis = Self { port, child: None };
        redis.run();
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn run(&mut self) {
        // The server's program under its other name: Debian's package of tools has it without the service.
        let mut command = Command::new("redis-check-rdb");
        command.arg0("redis-server").args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("redis-tools is installed: e2e/cluster/packages"));
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "Redis does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Changes a setting of the server.
    pub(crate) fn set(&self, name: &str, value: &str) {
        assert_eq!(self.ask(&["config", "set", name, value]), "OK");
    }

    /// Names of all keys.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.ask(&["keys", "*"]).lines().map(str::to_owned).filter(|key| !key.is_empty()).collect()
    }

    /// What `redis-cli` prints.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(command).output();
        String::from_utf8(output.expect("redis-tools is installed: e2e/cluster/packages").stdout)
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Connections, without the one that asks.
    pub(crate) fn clients(&self) -> usize {
        self.ask(&["CLIENT", "LIST"]).lines().filter(|line| !line.contains(" cmd=client")).count()
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
