//! Rules of the source tree that neither the compiler nor the linter checks. Each check is a function that returns the problems it finds.

mod circles;
mod crates;
mod docs;
mod files;
mod hosts;
mod layers;
mod migrations;
mod problem;
mod provider;
mod requirements;
mod source;

use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::tree::Tree;

/// Prints all problems. The exit code is a failure if there is one.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let tree = Tree::read(root)?;
    let mut problems = crates::check(root)?;
    problems.extend(circles::check(&tree));
    problems.extend(docs::check(&tree));
    problems.extend(files::check(&tree));
    problems.extend(hosts::check(&tree));
    problems.extend(layers::check(&tree));
    problems.extend(migrations::check(&tree));
    problems.extend(provider::check(root)?);
    problems.extend(requirements::check(&tree)?);
    problems.sort();
    problems.iter().try_for_each(|problem| writeln!(stdout(), "{problem}"))?;
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
