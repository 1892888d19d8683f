//! The rules of the tree that neither compiler nor linter knows. Each check is a function from the tree to problems.

mod crates;
mod files;
mod hosts;
mod layers;
mod migrations;
mod provider;
mod source;
mod tree;

use std::fmt;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use tree::Tree;

/// A broken rule, at a place where an editor can jump to.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    path: PathBuf,
    /// From 1.
    line: usize,
    message: String,
}

/// Prints every problem; the exit code tells whether there is one.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let tree = Tree::read(root)?;
    let mut problems = crates::check(root)?;
    problems.extend(files::check(&tree));
    problems.extend(hosts::check(&tree));
    problems.extend(layers::check(&tree));
    problems.extend(migrations::check(&tree));
    problems.extend(provider::check(root)?);
    problems.sort();
    problems.iter().try_for_each(|problem| writeln!(stdout(), "{problem}"))?;
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Problem {
    fn new(path: impl Into<PathBuf>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}
