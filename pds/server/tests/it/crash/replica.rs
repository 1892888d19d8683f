//! A replica as a process that can be killed and started again.

use std::{
    path::Path,
    sync::{Arc, RwLock},
};

use tempfile::TempDir;

use crate::command::process::{Pds, run};

/// A process that may be dead.
pub(super) struct Replica {
    pub(super) folder: TempDir,
    variables: Vec<(String, String)>,
    process: Option<Pds>,
    pub(super) address: Address,
}

impl Replica {
    pub(super) fn new(variables: Vec<(String, String)>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables, process: None, address: Address::default() }
    }

    pub(super) fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Starts the process, ready or not.
    pub(super) fn spawn(&mut self) {
        let process = Pds::spawn(self.folder.path(), &self.variables());
        self.address.set(format!("http://127.0.0.1:{}", process.port()));
        self.process = Some(process);
    }

    pub(super) fn kill(&mut self) {
        self.process.take().expect("a process").kill();
    }

    pub(super) fn process(&self) -> &Pds {
        self.process.as_ref().expect("a process")
    }

    /// The end of its log.
    pub(super) fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(30).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// Where a replica serves now. A restarted one does so somewhere else.
#[derive(Clone, Default)]
pub(super) struct Address(Arc<RwLock<String>>);

impl Address {
    fn set(&self, url: String) {
        *self.0.write().unwrap() = url;
    }

    pub(super) fn url(&self) -> String {
        self.0.read().unwrap().clone()
    }
}

/// Runs `pds migrate` with these variables.
pub(super) fn migrate(folder: &Path, variables: &[(&str, &str)]) {
    let output = run(folder, &["migrate"], variables);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
