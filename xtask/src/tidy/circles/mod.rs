//! No circle between files: if one file uses an item of another, the other uses none of the first, also not through third files.
//!
//! What counts as a use, and of which file:
//!
//! - Every path in code counts, and every `use`. The file that is used is the one that defines the item.
//! - A declaration `mod x;` is no use. A re-export (`pub use`, with any visibility) is none either: whoever names the item through it uses
//!   the file that defines the item. So a `mod.rs` that only declares and re-exports its children is used by nobody and uses nobody.
//!   If it mentions a re-exported name in its own code, that is a use.
//! - An import of a module is no use by itself. The paths that begin with its name are.
//! - A name that a file takes from another crate and re-exports belongs to the file with the re-export. So does a name that a macro makes.
//! - The code below `#[cfg(test)]` does not count: tests may name everything. The files that only tests declare are compared among
//!   themselves.
//!
//! Not seen, for want of types: calls of methods, and traits that are re-exported and used only by their methods.
//!
//! The circles that existed when the rule came stand in `known.rs`. That list may only become shorter.

mod graph;
mod known;
mod syntax;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use graph::Graph;

use super::problem::Problem;
use super::tree::Tree;

const TABLE: &str = "xtask/src/tidy/circles/known.rs";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    compare(&Graph::read(tree), &[known::OPERATOR, known::PDS, known::BENCH].concat())
}

/// The circles that are not known, and the known ones that are not there.
fn compare(graph: &Graph, known: &[&[&str]]) -> Vec<Problem> {
    let mut known: BTreeSet<BTreeSet<&Path>> =
        known.iter().map(|files| files.iter().map(Path::new).collect()).collect();
    let mut problems = Vec::new();
    for circle in graph.circles() {
        let files: BTreeSet<_> = circle.iter().map(|file| graph.files[*file].as_path()).collect();
        if !known.remove(&files) {
            problems.push(unknown(graph, &circle));
        }
    }
    problems.extend(known.iter().map(|files| {
        let message =
            format!("these files are no circle of their own any more; take them out of the table: {}", listed(files));
        Problem::new(TABLE, 1, message)
    }));
    problems
}

fn unknown(graph: &Graph, circle: &BTreeSet<usize>) -> Problem {
    let name = |file: usize| graph.files[file].display();
    let inside = graph.uses.iter().filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
    let uses: Vec<_> =
        inside.clone().map(|((from, to), line)| format!("{}:{line} uses {}", name(*from), name(*to))).collect();
    let (path, line) = inside.clone().next().map_or((0, 1), |((from, _), line)| (*from, *line));
    let files = circle.iter().map(|file| graph.files[*file].as_path()).collect();
    let message = format!("{} files use each other in a circle: {}. {}", circle.len(), listed(&files), uses.join("; "));
    Problem::new(&graph.files[path], line, message)
}

fn listed(files: &BTreeSet<&Path>) -> String {
    files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
}
