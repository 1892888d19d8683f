//! A PostgreSQL of one test's own, whose processes can all be killed at once.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::harness::free_port;

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    /// Its first process; the others are children of it.
    server: Child,
}

impl Postgres {
    /// An empty one that waits for its disk, as it does for users.
    pub(super) fn start() -> Self {
        let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
        let programs = versions.map(|entry| entry.unwrap().path().join("bin")).max().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let initdb = "--username postgres --auth trust --no-sync --encoding UTF8 --locale C.UTF-8 --pgdata";
        let mut initdb_command = as_owner(&programs.join("initdb"), folder.path());
        let output = initdb_command.args(initdb.split(' ')).arg(folder.path().join("data")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let port = free_port();
        let server = serve(&programs, folder.path(), port);
        let postgres = Self { programs, folder, port, server };
        postgres.ready();
        postgres
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Waits until it answers.
    fn ready(&self) {
        let began = Instant::now();
        let is_ready = || {
            let asked = Command::new(self.programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status();
            asked.unwrap().success()
        };
        while !is_ready() {
            assert!(began.elapsed() < PATIENCE, "PostgreSQL is not ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Sends SIGKILL to all of its processes and starts it on what they have left behind.
    pub(super) fn crash(&mut self) {
        self.kill();
        self.server = serve(&self.programs, self.folder.path(), self.port);
        self.ready();
    }

    /// Each child leads a process group of its own, so they are found by their parent; stopped, it makes no more of them.
    fn kill(&mut self) {
        let server = self.server.id();
        signal("STOP", &[server]);
        let mut all = children(server);
        all.push(server);
        signal("KILL", &all);
        self.server.wait().unwrap();
        let began = Instant::now();
        while all.iter().any(|pid| is_running(*pid)) {
            assert!(began.elapsed() < PATIENCE, "PostgreSQL does not die");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server refuses to run as root; then it runs as the user that its package made.
fn as_owner(program: &Path, folder: &Path) -> Command {
    let root = fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    let mut command = if root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn serve(programs: &Path, folder: &Path, port: u16) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut command = as_owner(&programs.join("postgres"), folder);
    command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
    for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=100"] {
        command.args(["-c", setting]);
    }
    command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(ToString::to_string);
    // One that has just ended by itself is no failure.
    let _ = Command::new("kill").arg(format!("-{name}")).args(pids).stderr(Stdio::null()).status().unwrap();
}

/// State and parent: the fields behind the name, which may hold anything.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn children(of: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, parent)| parent == of)).collect()
}

fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}
