//! The text files of the repository: those that git tracks, and new ones that it does not ignore.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Contents by path from the root of the repository, sorted. Files that are not UTF-8 are left out.
pub(crate) struct Tree {
    pub(crate) files: Vec<(PathBuf, String)>,
}

impl Tree {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let output = Command::new("git").args(arguments).current_dir(root).output().context("run git ls-files")?;
        ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        let names = String::from_utf8(output.stdout).context("a path is not UTF-8")?;
        let paths = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
        // Files that are deleted but still in the index cannot be read and are left out.
        let mut files: Vec<_> = paths
            .filter_map(|path| Some((fs::read_to_string(root.join(&path)).ok()?, path)))
            .map(|(t, p)| (p, t))
            .collect();
        files.sort();
        files.dedup();
        Ok(Self { files })
    }

    /// The contents of a file.
    pub(crate) fn text(&self, path: &Path) -> Option<&str> {
        let index = self.files.binary_search_by(|(other, _)| other.as_path().cmp(path)).ok()?;
        Some(&self.files[index].1)
    }

    /// The Rust files below a folder; the empty folder is the root.
    pub(crate) fn rust<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a Path, &'a str)> {
        let is_rust = |path: &Path| path.extension().is_some_and(|extension| extension == "rs");
        let files = self.files.iter().filter(move |(path, _)| path.starts_with(folder) && is_rust(path));
        files.map(|(path, text)| (path.as_path(), text.as_str()))
    }
}
