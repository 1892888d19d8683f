//! Files that are generated from other sources of the repository. They are committed, so that readers find them.

mod configuration;
mod crd;
mod file;
mod lexicon;
mod methods;
mod reasons;
mod requirements;
mod rights;
#[cfg(test)]
mod tests;
mod throwaway;

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use file::File;

use crate::tree::Tree;

/// Writes the files that are out of date, deletes those whose source is gone, and prints their names.
pub(crate) fn write(root: &Path) -> Result<ExitCode> {
    let files = files(root)?;
    for path in orphans(root, &files)? {
        fs::remove_file(root.join(&path)).with_context(|| format!("delete {}", path.display()))?;
        writeln!(stdout(), "deleted {}", path.display())?;
    }
    for file in files.into_iter().filter(|file| is_stale(root, file)) {
        let path = root.join(&file.path);
        let folder = path.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        fs::write(&path, file.text).with_context(|| format!("write {}", path.display()))?;
        writeln!(stdout(), "wrote {}", file.path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the names of the files that are out of date or whose source is gone. The exit code is a failure if there is one.
pub(crate) fn check(root: &Path) -> Result<ExitCode> {
    let files = files(root)?;
    let mut wrong = orphans(root, &files)?;
    wrong.extend(files.into_iter().filter(|file| is_stale(root, file)).map(|file| file.path));
    for path in &wrong {
        writeln!(stdout(), "{}: out of date; run `cargo xtask gen`", path.display())?;
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn files(root: &Path) -> Result<Vec<File>> {
    let mut files = crd::files()?;
    files.extend(reasons::files());
    files.extend([rights::file(), configuration::file(), lexicon::file(root)?, methods::file(root)?]);
    files.extend([throwaway::file(root)?, requirements::file(&Tree::read(root)?)?]);
    Ok(files)
}

fn is_stale(root: &Path, file: &File) -> bool {
    fs::read_to_string(root.join(&file.path)).ok().as_deref() != Some(&*file.text)
}

/// Files in a folder of generated files that are not generated any more.
fn orphans(root: &Path, files: &[File]) -> Result<Vec<PathBuf>> {
    let mut orphans = Vec::new();
    for folder in [reasons::FOLDER, "crds", "charts/aurora-locus/crds"] {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for entry in entries {
            let path = Path::new(folder).join(entry.with_context(|| format!("list {folder}"))?.file_name());
            if !files.iter().any(|file| file.path == path) {
                orphans.push(path);
            }
        }
    }
    orphans.sort();
    Ok(orphans)
}
