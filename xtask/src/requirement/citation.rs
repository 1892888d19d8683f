//! Where tests cite a requirement: by its id in a comment, or, for a setting or a route, by its name in a text.
//!
//! Reads lines, not syntax, since most tests of the server are arguments of a macro.

use std::path::{Path, PathBuf};

use super::table::SECTIONS;
use crate::tree::Tree;

/// A requirement that a test cites.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Citation {
    pub(crate) id: String,
    pub(crate) path: PathBuf,
    /// The test, or the story that tests run; none if the whole file is meant.
    pub(crate) test: Option<String>,
    /// From 1.
    pub(crate) line: usize,
}

/// All citations, by path and line. Code outside of tests cites nothing.
pub(crate) fn citations(tree: &Tree) -> Vec<Citation> {
    let mut found = Vec::new();
    for (path, text) in &tree.files {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") if !path.starts_with("xtask") => of_rust(path, text, &mut found),
            // Scripts that drive a test from outside.
            Some("mjs" | "sh") | None if path.starts_with("e2e") => {
                for (index, line) in text.lines().enumerate() {
                    found.extend(ids(line).map(|id| Citation::new(id, path, None, index)));
                }
            }
            _ => {}
        }
    }
    found
}

impl Citation {
    fn new(id: &str, path: &Path, test: Option<&str>, index: usize) -> Self {
        Self { id: id.to_owned(), path: path.to_owned(), test: test.map(str::to_owned), line: index + 1 }
    }
}

fn of_rust(path: &Path, text: &str, found: &mut Vec<Citation>) {
    let lines: Vec<_> = text.lines().collect();
    let is_test_file = path.iter().any(|part| part == "tests" || part == "tests.rs");
    // Unit tests stand at the end of their file.
    let begin = match is_test_file {
        true => Some(0),
        false => lines.iter().position(|line| line.starts_with("mod tests {")),
    };
    // What every test of the server runs in cites nothing.
    if path.iter().any(|part| part == "harness") {
        return;
    }
    for (index, line) in lines.iter().enumerate().skip(begin.unwrap_or(lines.len())) {
        let comment = line.find("//").map(|at| &line[at..]).unwrap_or_default();
        found.extend(ids(comment).map(|id| Citation::new(id, path, place(&lines, index), index)));
        // Settings and routes of the server.
        for name in names().filter(|name| path.starts_with("pds") && names_it(line, name)) {
            found.push(Citation::new(name, path, place(&lines, index), index));
        }
    }
}

/// The ids of the form `AL-SUBJECT-NUMBER` in a text.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("AL-").filter_map(|(start, _)| {
        let rest = &text[start + "AL-".len()..];
        let subject = rest.find(|c: char| !c.is_ascii_uppercase())?;
        let number = rest[subject..].strip_prefix('-')?;
        let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        (subject > 0 && digits > 0).then(|| &text[start..start + "AL-".len() + subject + 1 + digits])
    })
}

/// The settings and routes of the table.
fn names() -> impl Iterator<Item = &'static str> {
    let rows = SECTIONS.iter().flat_map(|section| section.rows);
    rows.map(|row| row.id).filter(|id| !id.starts_with("AL-"))
}

/// Whether a text of the line is the setting, or an address that ends with the route.
fn names_it(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + name.len()..]);
        let ends = after.starts_with(['"', '?']);
        let begins = match name.starts_with('/') {
            true => before.ends_with(['"', '}']),
            false => before.ends_with('"'),
        };
        begins && ends
    })
}

/// The name of the test or story that a line belongs to: of the item below a doc comment, else of the one around it.
fn place<'a>(lines: &[&'a str], index: usize) -> Option<&'a str> {
    let line = lines[index];
    if line.starts_with("//!") {
        return None;
    }
    if line.trim_start().starts_with("///") {
        return (index + 1..lines.len()).find_map(|at| name(lines, at));
    }
    let mut depth = indentation(line);
    for at in (0..index).rev() {
        if !lines[at].trim().is_empty() && indentation(lines[at]) < depth {
            depth = indentation(lines[at]);
            if let Some(name) = name(lines, at) {
                return Some(name);
            }
        }
    }
    None
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The name of the function, of the module, or of the test in a macro that begins on a line.
fn name<'a>(lines: &[&'a str], at: usize) -> Option<&'a str> {
    let line = lines[at].trim_start();
    let word = |text: &'a str| {
        let text = text.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_')?;
        (end > 0).then(|| &text[..end])
    };
    if line.starts_with("on_") && line.contains("!(") {
        let (_, arguments) = line.split_once("!(")?;
        return match arguments.trim().is_empty() {
            true => word(lines.get(at + 1)?),
            false => word(arguments),
        };
    }
    if let Some(module) = line.strip_prefix("mod ") {
        return word(module);
    }
    let (qualifiers, rest) = line.split_once("fn ")?;
    let is_item = qualifiers.split_whitespace().all(|part| part.starts_with("pub") || part == "async");
    is_item.then(|| word(rest)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(String, Option<String>)> {
        let tree = Tree { files: vec![(path.into(), text.to_owned())] };
        citations(&tree).into_iter().map(|citation| (citation.id, citation.test)).collect()
    }

    fn one(id: &str, test: &str) -> (String, Option<String>) {
        (id.to_owned(), Some(test.to_owned()))
    }

    const FILE: &str = "pds/x/tests/it/a.rs";

    #[test]
    fn a_comment_belongs_to_the_test_around_it_or_below_it() {
        let text = "on_both!(one, |pds| async move {\n    // AL-ACC-1, AL-ACC-2\n    for x in y {\n        // AL-ACC-3\n    }\n});\n\
                    on_places!(\n    two,\n    [],\n    |pds| async move {\n        // AL-ACC-4\n    }\n);\n\
                    /// AL-ACC-5\n#[tokio::test]\nasync fn three() {}\n/// AL-ACC-7\nmod both {\n    fn sqlite() {}\n}\n#[test]\nfn four() {\n    let a = || {\n        // AL-ACC-6\n    };\n}\n";
        let expected = [
            one("AL-ACC-1", "one"),
            one("AL-ACC-2", "one"),
            one("AL-ACC-3", "one"),
            one("AL-ACC-4", "two"),
            one("AL-ACC-5", "three"),
            one("AL-ACC-7", "both"),
            one("AL-ACC-6", "four"),
        ];
        assert_eq!(found(FILE, text), expected);
    }

    #[test]
    fn the_head_of_a_file_stands_for_all_of_it() {
        assert_eq!(found(FILE, "//! Jobs: AL-JOB-0.\nfn a() {}\n"), [("AL-JOB-0".to_owned(), None)]);
        assert_eq!(found("e2e/adoption", "# AL-FED-1\n"), [("AL-FED-1".to_owned(), None)]);
    }

    #[test]
    fn only_tests_cite() {
        let text = "/// AL-ACC-1\nfn a() {}\n#[cfg(test)]\nmod tests {\n    /// AL-ACC-2\n    fn b() {}\n}\n";
        assert_eq!(found("x/src/a.rs", text), [one("AL-ACC-2", "b")]);
        assert_eq!(found(FILE, "fn a() {\n    let s = \"AL-ACC-1\"; // AL-ACC, AL-1\n}\n"), []);
    }

    #[test]
    fn settings_and_routes_are_cited_by_use() {
        let text = "fn a() {\n    with(\"REDIS_URL\", \"MY_REDIS_URL\");\n    get(format!(\"{url}/livez\"));\n    get(\"/livez/x\");\n}\n";
        assert_eq!(found(FILE, text), [one("REDIS_URL", "a"), one("/livez", "a")]);
    }
}
