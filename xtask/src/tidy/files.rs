//! Length and names of Rust files, and the crate sqlx, which only one folder may name.

use std::collections::BTreeSet;
use std::path::Path;

use super::problem::Problem;
use super::source::{code, uses_of_crate};
use crate::tree::Tree;

const MOST_LINES: usize = 400;
const REASON: &str = "// tidy: long because ";
const NO_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc"];
const NO_ENDINGS: &[&str] = &["_v2", "_new", "_old"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let paths: BTreeSet<_> = tree.rust("").map(|(path, _)| path).collect();
    let mut problems = Vec::new();
    for (path, text) in tree.rust("") {
        problems.extend(length(path, text));
        problems.extend(name(path));
        let folder = path.with_extension("");
        if paths.iter().any(|other| other.starts_with(&folder)) {
            let message =
                format!("move it to {}/mod.rs: a module with a folder has its code in that folder", folder.display());
            problems.push(Problem::new(path, 1, message));
        }
        if !path.starts_with("pds/store") {
            let uses = uses_of_crate(&code(text), "sqlx").into_iter();
            problems.extend(uses.map(|line| Problem::new(path, line, "only pds/store names sqlx")));
        }
    }
    problems
}

fn length(path: &Path, text: &str) -> Option<Problem> {
    let lines = text.lines().count();
    let reason = text.lines().any(|line| line.starts_with(REASON) && line.len() > REASON.len());
    (lines > MOST_LINES && !reason).then(|| {
        let message = format!("{lines} lines; split it at its second subject, or give a reason with `{REASON}...`");
        Problem::new(path, MOST_LINES + 1, message)
    })
}

fn name(path: &Path) -> Option<Problem> {
    let bad = |name: &str| NO_NAMES.contains(&name) || NO_ENDINGS.iter().any(|ending| name.ends_with(ending));
    let without_extension = path.with_extension("");
    let found = without_extension.iter().filter_map(|name| name.to_str()).find(|name| bad(name))?;
    Some(Problem::new(path, 1, format!("{found:?} does not tell what the file contains; name its subject")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect();
        check(&Tree { files }).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_long_file_needs_a_reason() {
        let long = "\n".repeat(401);
        assert!(problems(&[("a.rs", &long)])[0].starts_with("a.rs:401: 401 lines;"));
        assert!(problems(&[("a.rs", &format!("// tidy: long because it is a table\n{long}"))]).is_empty());
        assert!(problems(&[("a.rs", &"\n".repeat(400))]).is_empty());
    }

    #[test]
    fn names_and_folders_are_checked() {
        assert_eq!(problems(&[("x/src/utils.rs", "")]).len(), 1);
        assert_eq!(problems(&[("x/src/helper/mod.rs", "")]).len(), 1);
        assert_eq!(problems(&[("x/src/account_v2.rs", "")]).len(), 1);
        assert_eq!(problems(&[("x/src/foo.rs", ""), ("x/src/foo/bar.rs", "")]).len(), 1);
        assert!(problems(&[("x/src/foo/mod.rs", ""), ("x/src/foo/bar.rs", "")]).is_empty());
    }

    #[test]
    fn sql_has_one_home() {
        assert_eq!(problems(&[("pds/server/src/a.rs", "\nuse sqlx::query;")]).len(), 1);
        assert!(problems(&[("pds/store/src/a.rs", "use sqlx::query;")]).is_empty());
    }
}
