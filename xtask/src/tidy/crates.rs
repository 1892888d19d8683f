//! Which crates of the workspace may depend on which others.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::problem::Problem;

/// A crate of the workspace and the crates of the workspace that it may depend on. `*` stands for all. A row may exist before its crate does.
const RULES: &[(&str, &[&str])] = &[
    ("operator-api", &[]),
    ("pds-crypto", &[]),
    ("pds-syntax", &[]),
    ("pds-blobstore", &["pds-syntax"]),
    ("pds-config", &["pds-syntax"]),
    ("pds-lexicon", &["pds-syntax"]),
    ("pds-limiter", &[]),
    ("pds-identity", &["pds-crypto", "pds-syntax"]),
    ("pds-kms", &["pds-crypto", "pds-identity"]),
    ("pds-repo", &["pds-crypto", "pds-syntax"]),
    ("pds-store", &["pds-repo", "pds-syntax"]),
    (
        "pds-server",
        &[
            "pds-blobstore",
            "pds-config",
            "pds-crypto",
            "pds-identity",
            "pds-kms",
            "pds-lexicon",
            "pds-limiter",
            "pds-repo",
            "pds-store",
            "pds-syntax",
        ],
    ),
    ("operator-runtime", &[]),
    ("operator-object-store", &[]),
    ("operator-controller", &["operator-api", "operator-object-store", "operator-runtime", "pds-config"]),
    ("bench", &["pds-crypto", "pds-repo", "pds-syntax"]),
    ("fuzz", &["pds-crypto", "pds-lexicon", "pds-repo", "pds-syntax"]),
    ("e2e", &["*"]),
    ("xtask", &["*"]),
];

/// A crate from outside that few crates of the workspace may name.
struct Reserved {
    name: &'static str,
    users: &'static [&'static str],
    /// Crates that may name it only as a dev-dependency.
    test_users: &'static [&'static str],
    reason: &'static str,
}

const RESERVED: &[Reserved] = &[
    Reserved { name: "sqlx", users: &["pds-store"], test_users: &[], reason: "SQL has one home" },
    Reserved { name: "rusqlite", users: &["pds-store"], test_users: &["pds-server"], reason: "SQL has one home" },
    Reserved {
        name: "redis",
        users: &["pds-limiter"],
        test_users: &[],
        reason: "state that replicas share has one home",
    },
    Reserved {
        name: "aws-sdk-s3",
        users: &["pds-blobstore", "operator-object-store", "e2e"],
        test_users: &["operator-controller"],
        reason: "it is the heaviest crate; an edit elsewhere must not wait for it",
    },
    Reserved {
        name: "aws-sdk-iam",
        users: &["operator-object-store"],
        test_users: &[],
        reason: "users and policies of object stores are made in one place",
    },
    Reserved {
        name: "aws-sdk-kms",
        users: &["pds-kms"],
        test_users: &["pds-server"],
        reason: "the SDK is heavy, and a key in KMS has one home",
    },
    Reserved {
        name: "kube",
        users: &["operator-api", "operator-runtime", "operator-controller", "e2e", "xtask"],
        test_users: &[],
        reason: "the PDS and the object store do not know Kubernetes",
    },
    Reserved {
        name: "axum",
        users: &["pds-server", "operator-runtime", "operator-controller"],
        test_users: &["operator-object-store"],
        reason: "HTTP is served at the edge",
    },
];

/// Crates that do no IO and do not await, and the dependencies that they must not have.
const PURE: &[&str] = &["pds-syntax", "pds-crypto", "pds-repo", "pds-lexicon", "pds-config", "operator-api"];
const IMPURE: &[&str] = &["tokio", "futures", "reqwest", "hyper", "axum", "sqlx", "rusqlite", "aws-sdk-s3"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Set if the dependency is a crate of the workspace.
    path: Option<String>,
    kind: Option<String>,
}

pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(root).output().context("run cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("read cargo metadata")?;
    let mut problems = Vec::new();
    for package in &metadata.packages {
        let manifest = Path::new(&package.manifest_path);
        let text = fs::read_to_string(manifest).with_context(|| format!("read {}", manifest.display()))?;
        let path = manifest.strip_prefix(root).unwrap_or(manifest);
        for (name, message) in broken(package) {
            let line = text.lines().position(|line| line.split(['.', ' ', '=']).next() == Some(&name));
            problems.push(Problem::new(path, line.map_or(1, |line| line + 1), message));
        }
        if !text.contains("[lints]\nworkspace = true") {
            problems.push(Problem::new(path, 1, "lacks `[lints]` with `workspace = true`"));
        }
    }
    Ok(problems)
}

/// The rules that a package breaks: for each, the dependency and the message.
fn broken(package: &Package) -> Vec<(String, String)> {
    let name = package.name.as_str();
    let Some((_, allowed)) = RULES.iter().find(|(rule, _)| *rule == name) else {
        return vec![(
            "name".into(),
            format!("{name} has no row in xtask/src/tidy/crates.rs; add one with the crates that it may import"),
        )];
    };
    let mut found = Vec::new();
    for dependency in &package.dependencies {
        let other = dependency.name.as_str();
        if dependency.path.is_some() && !allowed.contains(&"*") && !allowed.contains(&other) {
            found.push((other.into(), format!("{name} must not import {other}; allowed: {allowed:?}")));
        }
        let is_test = dependency.kind.as_deref() == Some("dev");
        if let Some(reserved) = RESERVED.iter().find(|reserved| reserved.name == other)
            && !reserved.users.contains(&name)
            && !(is_test && reserved.test_users.contains(&name))
        {
            let Reserved { users, reason, .. } = reserved;
            found.push((other.into(), format!("{name} must not name {other}: {reason}; allowed in {users:?}")));
        }
        if PURE.contains(&name) && IMPURE.contains(&other) && !is_test {
            found.push((other.into(), format!("{name} is pure and must not name {other}")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependency = |(name, inside): &(&str, bool)| {
            let path = inside.then(|| format!("/{name}"));
            Dependency { name: (*name).into(), path, kind: None }
        };
        let dependencies = dependencies.iter().map(dependency).collect();
        Package { name: name.into(), manifest_path: String::new(), dependencies }
    }

    #[test]
    fn allowed_dependencies_pass() {
        assert!(broken(&package("pds-store", &[("pds-repo", true), ("sqlx", false), ("tokio", false)])).is_empty());
    }

    #[test]
    fn forbidden_dependencies_are_reported() {
        let names = |package: Package| broken(&package).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(package("operator-controller", &[("pds-store", true)])), ["pds-store"]);
        assert_eq!(names(package("pds-server", &[("sqlx", false)])), ["sqlx"]);
        assert_eq!(names(package("pds-repo", &[("tokio", false)])), ["tokio"]);
        assert_eq!(names(package("pds-new", &[])), ["name"]);
        assert_eq!(names(package("operator-object-store", &[("kube", false)])), ["kube"]);
        assert_eq!(names(package("operator-runtime", &[("operator-api", true)])), ["operator-api"]);
        assert_eq!(names(package("operator-controller", &[("aws-sdk-iam", false)])), ["aws-sdk-iam"]);
    }
}
