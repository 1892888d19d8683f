//! Jobs of two servers on one PostgreSQL, and `pds job`.

use std::time::Duration;

use serde_json::Value;

use crate::{
    command::{
        SECRETS,
        process::{Pds, print, run},
    },
    harness::Database,
};

/// What `pds job` prints for the server on this port, or says if it fails.
fn job(folder: &std::path::Path, pds: &Pds, arguments: &[&str]) -> Result<String, String> {
    let (url, password) = (format!("http://127.0.0.1:{}", pds.port()), SECRETS[1]);
    let arguments = [&["job", "--server", &url], arguments].concat();
    let output = print(folder, &arguments, &[password], "");
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

fn session_cleanup(folder: &std::path::Path, pds: &Pds) -> Value {
    let listed: Value = serde_json::from_str(&job(folder, pds, &["list", "--output", "json"]).unwrap()).unwrap();
    listed.as_array().unwrap().iter().find(|job| job["name"] == "session_cleanup").unwrap().clone()
}

#[tokio::test]
async fn a_job_of_a_killed_replica_is_run_by_the_other() {
    // AL-JOB-0
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::postgres().await);
    let own = [
        ("PDS_DATABASE_URL", database.url.as_str()),
        ("PDS_BLOBSTORE_DISK_LOCATION", folder.path().to_str().unwrap()),
        ("PDS_JOB_LEASE", "3s"),
    ];
    let settings = [&own[..], &SECRETS].concat();
    let migrated = run(folder.path(), &["migrate"], &settings);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let first = Pds::start(folders[0].path(), &settings).await;
    let second = Pds::start(folders[1].path(), &settings).await;

    // The job has to wait: the server is killed in the middle of it.
    let mut held = database.hold("lock table refresh_token in access exclusive mode", 60);
    job(folder.path(), &first, &["run", "session_cleanup", "--no-wait"]).unwrap();
    let running = session_cleanup(folder.path(), &second);
    assert_eq!(running["running"], true, "{running}");
    let holder = running["holder"].as_str().unwrap().to_owned();
    let said = job(folder.path(), &second, &["run", "session_cleanup"]).unwrap_err();
    assert!(said.contains("JobRunning") && said.contains(&holder), "{said}");
    let table = job(folder.path(), &second, &["list"]).unwrap();
    let row = table.lines().find(|line| line.starts_with("session_cleanup")).unwrap();
    assert!(table.starts_with("NAME") && row.contains("1h") && row.contains(&holder), "{table}");
    first.kill();
    // The database would not notice the end of a client that sleeps.
    database.psql("select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid() and datname = current_database()");
    held.wait().unwrap();

    let followed = async {
        loop {
            let job = session_cleanup(folder.path(), &second);
            if job["run"] != running["run"] && job["running"] == false {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let followed = tokio::time::timeout(Duration::from_secs(60), followed).await.expect("the other one runs it");
    assert_eq!((&followed["outcome"], followed["holder"] == *holder), (&Value::from("success"), false), "{followed}");
    let log = second.log();
    assert_eq!(log.matches(&format!("{holder} has not ended its run of job session_cleanup")).count(), 1, "{log}");

    let text = job(folder.path(), &second, &["run", "session_cleanup"]).unwrap();
    assert!(text.contains("success"), "{text}");
    let said = job(folder.path(), &second, &["run", "backup"]).unwrap_err();
    assert!(said.contains("JobNotFound") && said.contains("session_cleanup"), "{said}");
}

#[tokio::test]
async fn jobs_of_the_server_on_this_machine_are_listed_and_run_without_naming_it() {
    let folder = tempfile::tempdir().unwrap();
    let pds = Pds::start(folder.path(), &[]).await;
    let port = pds.port().to_string();
    let job = |arguments: &[&str]| {
        let output = print(folder.path(), &[&["job"], arguments].concat(), &[("PDS_PORT", port.as_str())], "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(job(&["run", "database_maintenance"]).contains("success"));
    let table = job(&["list"]);
    let row = table.lines().find(|line| line.starts_with("database_maintenance")).unwrap();
    assert!(row.contains("1d") && row.contains("success"), "{table}");
    assert_eq!(pds.log().matches("job database_maintenance succeeded").count(), 1, "{}", pds.log());
}
