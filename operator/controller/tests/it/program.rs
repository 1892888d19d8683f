//! The built program as a process of its own.

use std::process::{Child, Command, Stdio};

use super::harness::{World, variable};
use super::home::Home;

/// The built program as a child process.
pub(crate) struct Program(pub(crate) Child);

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Program {
    pub(crate) fn start(home: &Home, world: &World) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_operator"))
            .args(["--namespace", &home.namespace, "--namespaces", &world.namespace])
            .args(["--controller-name", home.controller_name(), "--listen", "127.0.0.1:0"])
            .env("KUBECONFIG", variable("AURORA_TEST_KUBECONFIG"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    /// What the process has logged, when it has been ended.
    pub(crate) fn end(mut self) -> String {
        self.0.kill().unwrap();
        let mut words = String::new();
        std::io::Read::read_to_string(&mut self.0.stderr.take().unwrap(), &mut words).unwrap();
        words
    }

    /// Fails if the process ever had more memory than [`MOST_MEMORY`].
    #[track_caller]
    pub(crate) fn took_little_memory(&self) {
        let most = self.most_memory();
        assert!(most < MOST_MEMORY, "{} MiB", most >> 20);
    }

    /// The most memory that the process ever had, in bytes.
    pub(crate) fn most_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }
}

/// Without tenants' objects a debug build takes about 110 MiB.
pub(crate) const MOST_MEMORY: u64 = 180 << 20;
