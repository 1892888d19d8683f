//! The script with which a pod starts PostgreSQL, run with the PostgreSQL of this machine.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SCRIPT: &str = include_str!("../../src/kinds/pds_instance/component/postgres-start.sh");
/// A user that every system knows. PostgreSQL refuses to run as root.
const KNOWN: u32 = 65534;
/// A user id as OpenShift chooses it. No system has an entry for it.
const UNKNOWN: u32 = 1_000_680_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder with the programs of the newest PostgreSQL, and its major version.
fn postgres() -> (PathBuf, u32) {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is not installed: run e2e/cluster/packages");
    let newest = versions.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).max().unwrap();
    (format!("/usr/lib/postgresql/{newest}/bin").into(), newest)
}

/// A pod of PostgreSQL: its volumes below a folder, and its user.
struct Pod {
    folder: tempfile::TempDir,
    user: u32,
    port: u16,
}

/// A container that runs.
struct Container(Child);

impl Drop for Container {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Container {
    /// Ends PostgreSQL as the container's `preStop` does.
    fn stop(mut self) {
        assert!(Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Pod {
    /// If the tests do not run as root, they cannot choose the user, and `user` has no effect.
    fn new(user: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["data", "secret", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("secret/password"), "0123456789abcdef").unwrap();
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        let user = if is_root { user } else { fs::metadata("/proc/self").unwrap().uid() };
        for name in ["", "data", "tmp"] {
            chown(folder.path().join(name), Some(user), None).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { folder, user, port }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program in the pod, with the variables of the container.
    fn command(&self, program: &str) -> Command {
        let (bin, _) = postgres();
        let mut command = Command::new(program);
        command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", bin.display())).current_dir("/");
        command.env("PGDATA", self.path("data/pg")).env("PG_HBA", "local all all trust\n");
        // A pod has a network of its own, so that there the usual port is free.
        command.env("PGPORT", self.port.to_string());
        if self.user != fs::metadata("/proc/self").unwrap().uid() {
            command.uid(self.user).gid(self.user);
        }
        command
    }

    /// The script with the folder's paths in place of the pod's. It listens on loopback only.
    fn script(&self) -> String {
        let paths = [("/tmp", "tmp"), ("/secret", "secret")];
        let script = paths.iter().fold(SCRIPT.to_owned(), |script, (in_pod, name)| {
            assert!(SCRIPT.contains(in_pod));
            script.replace(in_pod, self.path(name).to_str().unwrap())
        });
        assert!(SCRIPT.contains("listen_addresses='*'"));
        script.replace("listen_addresses='*'", "listen_addresses=127.0.0.1")
    }

    /// A client in the pod, as the role of the PDS.
    fn client(&self, program: &str) -> Command {
        let mut command = self.command(program);
        command.arg("-h").arg(self.path("tmp")).args(["-U", "pds", "-d", "pds"]);
        command
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    fn spawn(&self) -> Container {
        let log = File::create(self.path("log")).unwrap();
        let mut command = self.command("sh");
        command.args(["-c", &self.script()]).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Container(command.spawn().unwrap())
    }

    /// Runs the script until the readiness probe succeeds.
    fn start(&self) -> Container {
        let mut container = self.spawn();
        let began = Instant::now();
        loop {
            let ended = container.0.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "{ended:?}: {}", self.log());
            let probe = self.client("pg_isready").output().unwrap();
            if probe.status.success() {
                return container;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn sql(&self, statement: &str) -> String {
        let output = self.client("psql").args(["-XAtqc", statement]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// F52: some volume drivers add rights for the group at every mount, and PostgreSQL refuses a folder that has them.
#[test]
fn data_that_the_group_may_write_is_served() {
    let pod = Pod::new(KNOWN);
    let container = pod.start();
    pod.sql("create table kept as select 7 as number");
    container.stop();
    assert!(Command::new("chmod").args(["-R", "g+rwX"]).arg(pod.path("data")).status().unwrap().success());
    let container = pod.start();
    assert_eq!(pod.sql("select number from kept"), "7");
    container.stop();
    assert_eq!(fs::metadata(pod.path("data/pg")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn data_of_another_major_version_is_refused_and_both_versions_are_named() {
    let (pod, (_, image)) = (Pod::new(KNOWN), postgres());
    pod.start().stop();
    for ending in ["\n", ""] {
        fs::write(pod.path("data/pg/PG_VERSION"), format!("12{ending}")).unwrap();
        let ended = pod.spawn().0.wait().unwrap();
        assert_eq!(ended.code(), Some(78), "{}", pod.log());
        let said = format!("made by PostgreSQL 12 and this image has PostgreSQL {image}; set the image back to 12\n");
        assert!(pod.log().ends_with(&said), "{}", pod.log());
    }
}

/// OpenShift gives each namespace user ids of its own, which the image does not know.
#[test]
fn a_user_without_an_entry_in_the_image_is_enough() {
    let pod = Pod::new(UNKNOWN);
    pod.start().stop();
    let container = pod.start();
    assert_eq!(pod.sql("select current_user"), "pds");
    container.stop();
}

/// A pod that is killed during its first start leaves a part of the data, which is made anew.
#[test]
fn a_first_start_that_was_cut_off_begins_again() {
    let pod = Pod::new(KNOWN);
    fs::create_dir(pod.path("data/pg.new")).unwrap();
    fs::write(pod.path("data/pg.new/PG_VERSION"), "12\n").unwrap();
    fs::set_permissions(pod.path("data/pg.new"), Permissions::from_mode(0o777)).unwrap();
    pod.start().stop();
    assert!(!pod.path("data/pg.new").exists());
}
