//! What follows from the table of methods: the OpenAPI document and the pages.

use std::{fs, io::Write as _, path::Path, process::Stdio};

use pds_server::api::table::METHODS;

use crate::harness::{TestPds, send};

/// `cargo xtask gen` reads the table as text; this reads what is compiled.
#[test]
fn the_reference_page_says_what_the_table_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/methods.md");
    let text = fs::read_to_string(file).unwrap();
    let (mut family, mut rows) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            family = title.to_owned();
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        if cells.len() == 7 && cells[1].starts_with('`') {
            let (name, oauth) = (cells[1].trim_matches('`'), cells[4].trim_matches('`'));
            rows.push((format!("{family}.{name}"), cells[3].to_owned(), oauth.to_owned()));
        }
    }
    let table = METHODS
        .iter()
        .map(|method| (method.nsid.to_owned(), method.requirement.to_string(), method.permission.to_string()));
    assert_eq!(rows, table.collect::<Vec<_>>());
}

#[tokio::test]
async fn another_program_finds_the_openapi_document_valid() {
    // AL-DOC-1
    let pds = TestPds::sqlite().await;
    let answer = send(pds.http.get(format!("{}/openapi.json", pds.url))).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let document = answer.ok();
    assert_eq!(document["paths"].as_object().unwrap().len(), METHODS.len());

    let folder = std::env::var("AURORA_NPM_DIR").expect("AURORA_NPM_DIR: see CONTRIBUTING.md");
    let mut node = std::process::Command::new(Path::new(&folder).join("node"));
    node.arg(Path::new(&folder).join("openapi.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = node.spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("OpenAPI 3.1 with {} paths", METHODS.len())), "{said}");
}

#[tokio::test]
async fn the_page_of_methods_needs_nothing_from_elsewhere() {
    let pds = TestPds::sqlite().await;
    let answer = pds.http.get(format!("{}/openapi", pds.url)).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    assert!(answer.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let page = answer.text().await.unwrap();
    assert!(METHODS.iter().all(|method| page.contains(method.nsid)));
    assert!(!page.contains("<script") && !page.contains("src="));
}
