//! A database that lives as long as its test.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

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
    /// Holds the lock that everybody needs who adds events, until the process is killed or `seconds` are over; Postgres only. Ready when it returns.
    pub(crate) fn hold_events(&self, seconds: u32) -> std::process::Child {
        self.hold("update seq_state set next = next", seconds)
    }

    /// The same with whatever this statement locks.
    pub(crate) fn hold(&self, statement: &str, seconds: u32) -> std::process::Child {
        let sql =
            format!("begin; {statement}; select 1; \\echo held\nselect pg_sleep({seconds}) \\g /dev/null\nrollback;");
        let mut psql = Command::new("psql");
        psql.args([&self.url, "-XqAt"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = psql.spawn().unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "held"), "psql ended");
        child
    }

    /// All bytes that it stores.
    pub(crate) fn dump(&self) -> Vec<u8> {
        if let Some(path) = self.url.strip_prefix("sqlite://") {
            // What the newest transactions wrote is in the second file.
            return [path.to_owned(), format!("{path}-wal")].iter().flat_map(|path| fs::read(path).unwrap()).collect();
        }
        let output = Command::new("pg_dump").arg(&self.url).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Breaks something on purpose, or asks; Postgres only. Returns the rows, a line each.
    pub(crate) fn psql(&self, sql: &str) -> String {
        psql(&self.url, sql)
    }
}

fn psql(server: &str, sql: &str) -> String {
    let output = Command::new("psql").args([server, "-XqAtc", sql]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.drop {
            psql(server, &format!("drop database {name} with (force)"));
        }
    }
}
