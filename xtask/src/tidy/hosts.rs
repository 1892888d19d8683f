//! No file names a package registry or mirror: each machine has its own settings for them.

use std::path::Path;

use super::problem::Problem;
use crate::tree::Tree;

const HOSTS: &[&str] = &[
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "proxy.golang.org",
    "sum.golang.org",
    "index.crates.io",
    "static.crates.io",
    "deb.debian.org",
    "archive.ubuntu.com",
    "registry.k8s.io",
    "registry-1.docker.io",
    "ghcr.io",
    "quay.io",
    "gcr.io",
];

/// This file, which contains the list.
const EXEMPT: &str = "xtask/src/tidy/hosts.rs";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let files = tree.files.iter().filter(|(path, _)| path != Path::new(EXEMPT));
    let lines =
        files.flat_map(|(path, text)| text.lines().enumerate().map(move |(index, line)| (path, index + 1, line)));
    lines
        .filter_map(|(path, number, line)| {
            let host = HOSTS.iter().find(|host| line.contains(**host))?;
            Some(Problem::new(
                path,
                number,
                format!("names the registry {host}; the address must come from the machine's settings"),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_registry_is_reported() {
        let text = format!("a\n\"resolved\": \"https://{}/x.tgz\"\n", HOSTS[0]);
        let problems = check(&Tree { files: vec![("package-lock.json".into(), text)] });
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().starts_with("package-lock.json:2: "));
    }
}
