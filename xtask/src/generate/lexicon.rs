//! The schemas of records and methods, extracted from the pinned npm package `@atproto/api`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, to_string};

use super::file::File;

#[derive(Deserialize)]
struct Extract {
    package: String,
    version: String,
    documents: Vec<Value>,
}

/// Runs the extraction with the package of `AURORA_NPM_DIR`, by default the one that `e2e/clients` pins.
pub(super) fn file(root: &Path) -> Result<File> {
    let folder = std::env::var_os("AURORA_NPM_DIR").map_or_else(|| root.join("e2e/clients"), PathBuf::from);
    let script = root.join("xtask/src/generate/lexicon.mjs");
    let node = folder.join("node");
    let output = Command::new(&node).arg(&script).arg(&folder).output();
    let output = output.with_context(|| format!("run {} (set AURORA_NPM_DIR?)", node.display()))?;
    ensure!(output.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&output.stderr));
    let extract: Extract = serde_json::from_slice(&output.stdout).context("read what the script extracted")?;
    Ok(File { path: "pds/lexicon/data/lexicons.json".into(), text: compact(&extract)? })
}

/// One document per line: small, and a new version of the package gives a readable difference.
fn compact(extract: &Extract) -> Result<String> {
    let lines: Vec<_> = extract.documents.iter().map(to_string).collect::<Result<_, _>>()?;
    Ok(format!(
        "{{\"generated\":\"by `cargo xtask gen`; do not edit\",\"package\":{},\"version\":{},\"documents\":[\n{}\n]}}\n",
        to_string(&extract.package)?,
        to_string(&extract.version)?,
        lines.join(",\n")
    ))
}
