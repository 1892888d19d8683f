//! Files that follow from something else in the tree. They are in the tree too, so that people can read them.

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

/// Writes what is not up to date.
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

/// Names what is not up to date.
pub(crate) fn check(root: &Path) -> Result<ExitCode> {
    let stale = stale(root)?;
    for file in &stale {
        writeln!(stdout(), "{}: not what would be generated; run `cargo xtask gen`", file.path.display())?;
    }
    Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn stale(root: &Path) -> Result<Vec<File>> {
    let mut files = crd::files()?;
    files.extend([configuration::file(), lexicon::file(root)?]);
    let is_stale = |file: &File| fs::read_to_string(root.join(&file.path)).ok().as_deref() != Some(&*file.text);
    Ok(files.into_iter().filter(is_stale).collect())
}
