//! A database that lives as long as its test.

use std::process::Command;

use tempfile::TempDir;

pub(crate) struct Database {
    pub(crate) url: String,
    _folder: Option<TempDir>,
    drop: Option<(String, String)>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("pds.sqlite").display());
        Self { url, _folder: Some(folder), drop: None }
    }

    /// In the server that `make test` starts.
    pub(crate) async fn postgres() -> Self {
        let server = std::env::var("AURORA_TEST_POSTGRES_URL");
        let server = server.expect("AURORA_TEST_POSTGRES_URL is not set: run `make test`, which starts a server");
        let name = format!("pds_{}", uuid::Uuid::new_v4().simple());
        psql(&server, &format!("create database {name}"));
        let base = server.rsplit_once('/').unwrap().0;
        Self { url: format!("{base}/{name}"), _folder: None, drop: Some((server, name)) }
    }
}

impl Database {
    /// Breaks something on purpose; Postgres only.
    pub(crate) fn psql(&self, sql: &str) {
        psql(&self.url, sql);
    }
}

fn psql(server: &str, sql: &str) {
    let output = Command::new("psql").args([server, "-Xqc", sql]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.drop {
            psql(server, &format!("drop database {name} with (force)"));
        }
    }
}
