//! Files that are generated from other sources of the repository. They are committed, so that readers find them.

mod configuration;
mod crd;
mod file;
mod lexicon;

use std::fs;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use file::File;

/// Writes the files that are out of date, and prints their names.
pub(crate) fn write(root: &Path) -> Result<ExitCode> {
    for file in stale(root)? {
        let path = root.join(&file.path);
        let folder = path.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        fs::write(&path, file.text).with_context(|| format!("write {}", path.display()))?;
        writeln!(stdout(), "wrote {}", file.path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the names of the files that are out of date. The exit code is a failure if there is one.
pub(crate) fn check(root: &Path) -> Result<ExitCode> {
    let stale = stale(root)?;
    for file in &stale {
        writeln!(stdout(), "{}: out of date; run `cargo xtask gen`", file.path.display())?;
    }
    Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn stale(root: &Path) -> Result<Vec<File>> {
    let mut files = crd::files()?;
    files.extend([configuration::file(), lexicon::file(root)?]);
    let is_stale = |file: &File| fs::read_to_string(root.join(&file.path)).ok().as_deref() != Some(&*file.text);
    Ok(files.into_iter().filter(is_stale).collect())
}
