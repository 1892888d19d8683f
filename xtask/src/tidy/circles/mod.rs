//! No circles between the files of a crate: if file A uses an item of file B, then B must not use an item of A, directly or through other files.
//!
//! These rules define which file uses which:
//!
//! - Each path in code and each `use` is a use of the file that defines the item.
//! - `mod x;` is not a use. Neither is a re-export (`pub use` with any visibility): code that names the item through the re-export uses the file
//!   that defines the item. A `mod.rs` that only declares and re-exports its children is therefore never part of a circle. If it names a
//!   re-exported item in its own code, that is a use.
//! - The import of a module is not a use by itself. The paths that begin with the module's name are.
//! - An item of another crate that a file re-exports belongs to the file with the re-export.
//! - A name that is not found in a module is assumed to come from a macro and belongs to the file of the module.
//! - Items with `#[cfg(test)]` are ignored. Files that only such items declare are compared with each other.
//!
//! The check does not know types. It does not see calls of methods, nor a re-exported trait of which the file itself uses only methods.

mod graph;
mod syntax;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use graph::Graph;

use super::problem::Problem;
use crate::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    circles(&Graph::read(tree))
}

fn circles(graph: &Graph) -> Vec<Problem> {
    graph.circles().iter().map(|circle| problem(graph, circle)).collect()
}

fn problem(graph: &Graph, circle: &BTreeSet<usize>) -> Problem {
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
