//! Each migration exists for both databases, with the same file name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::problem::Problem;
use crate::tree::Tree;

const FOLDER: &str = "pds/store/migrations";
const DIALECTS: [&str; 2] = ["postgres", "sqlite"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let of = |dialect: &str| -> BTreeMap<String, &PathBuf> {
        let folder = Path::new(FOLDER).join(dialect);
        let paths = tree.files.iter().map(|(path, _)| path).filter(|path| path.starts_with(&folder));
        paths.filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path))).collect()
    };
    let [postgres, sqlite] = DIALECTS.map(of);
    let mut problems = Vec::new();
    for (from, to, dialect) in [(&postgres, &sqlite, DIALECTS[1]), (&sqlite, &postgres, DIALECTS[0])] {
        let alone = from.iter().filter(|(name, _)| !to.contains_key(*name));
        problems.extend(alone.map(|(name, path)| {
            Problem::new(
                *path,
                1,
                format!(
                    "{FOLDER}/{dialect}/{name} is missing; if it has nothing to do, add it with a comment that says why"
                ),
            )
        }));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_that_is_missing_for_one_database_is_reported() {
        let file = |path: &str| (PathBuf::from(FOLDER).join(path), String::new());
        let files = vec![file("postgres/0001_a.sql"), file("sqlite/0001_a.sql"), file("sqlite/0002_b.sql")];
        let problems = check(&Tree { files });
        assert_eq!(problems.len(), 1);
        assert!(problems[0].path.ends_with("sqlite/0002_b.sql"));
    }
}
