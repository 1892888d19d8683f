//! Which addresses reach the server.

use std::net::{Ipv6Addr, TcpListener};
use std::path::Path;

use super::process::{Pds, run};
use crate::harness::send;

/// F19
#[tokio::test]
async fn both_address_families_reach_both_ports() {
    let folder = tempfile::tempdir().unwrap();
    let pds = Pds::start(folder.path(), &[]).await;
    // The only exception: a kernel that was built or started without IPv6 has no such file. One that has it and no ::1 hides half of
    // what this test is for.
    let hosts = if Path::new("/proc/net/if_inet6").exists() {
        TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect("the kernel has IPv6, so ::1 can be bound");
        vec!["127.0.0.1", "[::1]"]
    } else {
        vec!["127.0.0.1"]
    };
    let http = reqwest::Client::new();
    for host in hosts {
        for port in [pds.port(), pds.metrics_port()] {
            let answer = send(http.get(format!("http://{host}:{port}/readyz"))).await;
            assert_eq!(answer.status, 200, "{host}:{port}");
        }
    }
    assert!(run(folder.path(), &["health"], &pds.variables()).status.success());
    // A second server on the same port is told so, whichever family it would take.
    let port = pds.port().to_string();
    let output = run(folder.path(), &["serve"], &[("PDS_PORT", &port), ("PDS_METRICS_PORT", "0")]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("PDS_PORT"), "{said}");
}
