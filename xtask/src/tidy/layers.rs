//! The order of the modules of the server. A module may use only the modules to its left.
//!
//! `app` puts the parts of the server together. It stands behind all of them, so no domain module can use it: a domain module takes the parts
//! that it uses.

use std::collections::BTreeSet;
use std::path::Path;

use super::problem::Problem;
use super::source::{code, crate_modules, uses_of_crate};
use crate::tree::Tree;

const FOLDER: &str = "pds/server/src";

/// Groups of modules from left to right. Modules of the same group may use each other.
const ORDER: &[&[&str]] = &[
    &["clock", "report", "task"],
    &["metrics", "trace"],
    &["mail"],
    &["sequencer", "blob", "rate_limit"],
    &["upstream", "read_after_write"],
    &["actor"],
    &["identity"],
    &["account"],
    &["moderation"],
    &["adoption"],
    &["job"],
    &["outside"],
    &["app"],
    &["xrpc", "auth"],
    &["api", "http"],
    &["router", "command"],
];

/// A module of the first group that may use axum.
const FIRST_WEB: &str = "xrpc";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let files: Vec<_> = tree.rust(FOLDER).filter_map(|(path, text)| Some((path, module_path(path)?, text))).collect();
    let modules: BTreeSet<_> = files.iter().map(|(_, module, _)| module[0].clone()).collect();
    let mut problems = Vec::new();
    for (path, module, text) in &files {
        let name = module[0].as_str();
        let Some(place) = place(name) else {
            let message = format!("module {name} has no place in the order of xtask/src/tidy/layers.rs");
            problems.push(Problem::new(*path, 1, message));
            continue;
        };
        let code = code(text);
        for (line, other) in crate_modules(&code, module.len()) {
            let Some(other_place) = modules.get(&other).and_then(|other| self::place(other)) else { continue };
            if other_place > place {
                let message =
                    format!("{name} must not use {other}, which stands to its right; allowed: {}", left_of(place));
                problems.push(Problem::new(*path, line, message));
            }
        }
        if Some(place) < self::place(FIRST_WEB) {
            let uses = uses_of_crate(&code, "axum").into_iter();
            problems.extend(uses.map(|line| Problem::new(*path, line, format!("{name} must not use axum"))));
        }
    }
    problems
}

/// The names of the modules from the crate's root to the file: `actor/prepare.rs` is `actor`, `prepare`. `None` for the root.
fn module_path(path: &Path) -> Option<Vec<String>> {
    let inner = path.strip_prefix(FOLDER).ok()?.with_extension("");
    let mut names: Vec<_> = inner.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names.pop_if(|last| last == "mod");
    match names.as_slice() {
        [root] if root == "lib" || root == "main" => None,
        [] => None,
        _ => Some(names),
    }
}

fn place(module: &str) -> Option<usize> {
    ORDER.iter().position(|group| group.contains(&module))
}

fn left_of(place: usize) -> String {
    ORDER[..=place].concat().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(path, text)| (format!("{FOLDER}/{path}").into(), (*text).to_owned())).collect();
        check(&Tree { files }).iter().map(|problem| format!("{}:{}", problem.path.display(), problem.line)).collect()
    }

    #[test]
    fn to_the_left_is_allowed_to_the_right_is_not() {
        let api = ("api/repo.rs", "use crate::actor::write;\nuse crate::app::App;\nuse axum::Json;\n");
        assert!(
            problems(&[api, ("actor/mod.rs", "use crate::sequencer::Sequencer;\n"), ("sequencer.rs", "")]).is_empty()
        );
        let wrong = ("actor/mod.rs", "use crate::sequencer::Sequencer;\nuse crate::api::repo;\n");
        assert_eq!(problems(&[api, wrong]), ["pds/server/src/actor/mod.rs:2"]);
        let wrong = ("actor/deep.rs", "fn f() { super::super::api::g() }\n");
        assert_eq!(problems(&[api, wrong]), ["pds/server/src/actor/deep.rs:1"]);
        let shared = ("clock.rs", "use crate::metrics::Metrics;\n");
        assert_eq!(problems(&[shared, ("metrics.rs", "")]), ["pds/server/src/clock.rs:1"]);
    }

    #[test]
    fn the_app_is_for_modules_to_its_right() {
        let app = ("app.rs", "use crate::{actor::Actors, job};\n");
        let api = ("api/mod.rs", "use crate::app::App;\n");
        assert!(problems(&[app, api, ("actor/mod.rs", "use crate::clock;\n"), ("clock.rs", "")]).is_empty());
        for path in ["actor/mod.rs", "job/mod.rs", "metrics.rs", "report.rs"] {
            assert_eq!(problems(&[app, (path, "fn f(app: &crate::app::App) {}\n")]), [format!("{FOLDER}/{path}:1")]);
        }
        let wrong = ("app.rs", "use axum::Router;\nuse crate::router;\n");
        assert_eq!(problems(&[wrong, ("router.rs", "")]), ["pds/server/src/app.rs:2", "pds/server/src/app.rs:1"]);
    }

    #[test]
    fn modules_on_the_left_must_not_use_axum_and_new_modules_need_a_place() {
        assert_eq!(problems(&[("job/mod.rs", "\nuse axum::Router;\n")]), ["pds/server/src/job/mod.rs:2"]);
        assert_eq!(problems(&[("surprise.rs", "")]), ["pds/server/src/surprise.rs:1"]);
        assert!(problems(&[("lib.rs", "mod surprise;"), ("main.rs", "")]).is_empty());
    }
}
