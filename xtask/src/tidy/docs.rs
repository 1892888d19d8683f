//! Public functions, types, traits, constants, modules and crates have a doc comment.
//!
//! Replaces the lint `missing_docs` of the compiler, which also demands a comment for each field and variant. Comments that only repeat the
//! name of a field say nothing. This check leaves fields and variants to the author.

use std::path::Path;

use super::problem::Problem;
use super::source::code;
use crate::tree::Tree;

const ITEMS: [&str; 8] = ["fn", "struct", "enum", "union", "trait", "type", "const", "static"];
const QUALIFIERS: [&str; 4] = ["async", "unsafe", "extern", "const"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.rust("") {
        let folders: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
        // The crate of the cluster tests is no library for others.
        if folders.first() == Some(&"e2e") || !folders.contains(&"src") {
            continue;
        }
        if path.ends_with("src/lib.rs") && !text.starts_with("//!") {
            problems.push(Problem::new(path, 1, "begin the crate with a `//!` comment that says what it owns"));
        }
        let modules = public_modules(text).into_iter().filter(|(_, name)| !begins_with_comment(tree, path, name));
        problems.extend(modules.map(|(line, name)| {
            Problem::new(path, line, format!("begin module `{name}` with a `//!` comment that says what it owns"))
        }));
        problems.extend(undocumented(text).into_iter().map(|(line, item)| {
            Problem::new(path, line, format!("document `{item}`: what its name and signature do not say"))
        }));
    }
    problems
}

/// The modules that are declared with `pub mod name;`: line and name.
fn public_modules(text: &str) -> Vec<(usize, String)> {
    let code = code(text);
    let modules = code.lines().enumerate().filter_map(|(index, line)| {
        let name = line.trim().strip_prefix("pub mod ")?.strip_suffix(';')?;
        Some((index + 1, name.to_owned()))
    });
    modules.collect()
}

/// Whether the file of a module that `parent` declares begins with a doc comment.
fn begins_with_comment(tree: &Tree, parent: &Path, name: &str) -> bool {
    let folder = parent.parent().unwrap_or(Path::new(""));
    let candidates = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    tree.files.iter().any(|(path, text)| candidates.contains(path) && text.starts_with("//!"))
}

/// The public items without a doc comment: line and first words.
fn undocumented(text: &str) -> Vec<(usize, String)> {
    let (code, lines) = (code(text), text.lines().collect::<Vec<_>>());
    let mut found = Vec::new();
    // The indentation of the public trait that contains the line.
    let mut in_trait: Option<usize> = None;
    for (index, line) in code.lines().enumerate() {
        let (indent, item) = (line.len() - line.trim_start().len(), line.trim());
        if in_trait.is_some_and(|outer| indent <= outer && item.starts_with('}')) {
            in_trait = None;
        }
        let public = item.strip_prefix("pub ");
        let member = Some(item).filter(|_| in_trait.is_some_and(|outer| indent == outer + 4));
        let Some(declaration) = public.or(member) else { continue };
        let Some(kind) = kind(declaration) else { continue };
        if public.is_some() && kind == "trait" && !item.ends_with('}') {
            in_trait = Some(indent);
        }
        if !is_documented(&lines[..index]) {
            found.push((index + 1, item.split(['(', '{', '=', ';']).next().unwrap_or(item).trim().to_owned()));
        }
    }
    found
}

/// The keyword of a declaration, without its qualifiers. `None` for fields and re-exports.
fn kind(declaration: &str) -> Option<&str> {
    let mut words = declaration.split_whitespace().skip_while(|word| word.starts_with('"')).peekable();
    while let Some(word) = words.next() {
        let qualifies = QUALIFIERS.contains(&word) && words.peek().is_some_and(|next| is_keyword(next));
        if !qualifies {
            return ITEMS.contains(&word).then_some(word);
        }
    }
    None
}

fn is_keyword(word: &str) -> bool {
    ITEMS.contains(&word) || QUALIFIERS.contains(&word)
}

/// Whether these lines end with a doc comment, or with one and attributes behind it.
fn is_documented(before: &[&str]) -> bool {
    let mut lines = before.iter().rev().map(|line| line.trim());
    while let Some(line) = lines.next() {
        if line.starts_with("///") || line.starts_with("#[doc") {
            return true;
        }
        if line.starts_with("#[") {
            continue;
        }
        // The end of an attribute that has several lines.
        if !line.ends_with(']') || !lines.any(|line| line.starts_with("#[")) {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        undocumented(text).into_iter().map(|(line, item)| format!("{line} {item}")).collect()
    }

    #[test]
    fn public_items_without_a_comment_are_found_and_fields_are_not() {
        let text = "pub struct A {\n    pub field: u8,\n}\n\n/// Says something.\n#[derive(\n    Debug\n)]\npub enum B { X }\n\
                    pub const fn f() {}\npub(crate) fn g() {}\npub use x::y;\n/// Says something.\npub async fn h() {}\n";
        assert_eq!(found(text), ["1 pub struct A", "10 pub const fn f"]);
    }

    #[test]
    fn a_public_module_begins_with_a_comment() {
        let file = |path: &str, text: &str| (path.into(), text.to_owned());
        let files = vec![
            file("pds/x/src/a.rs", "//! Says something.\n"),
            file("pds/x/src/b/mod.rs", "mod c;\n"),
            file("pds/x/src/b/c.rs", "fn f() {}\n"),
            file("pds/x/src/lib.rs", "//! Says something.\npub mod a;\npub mod b;\n"),
        ];
        let problems: Vec<_> = check(&Tree { files }).iter().map(ToString::to_string).collect();
        assert_eq!(problems, ["pds/x/src/lib.rs:3: begin module `b` with a `//!` comment that says what it owns"]);
    }

    #[test]
    fn the_methods_of_a_public_trait_are_items() {
        let text = "/// Says something.\npub trait T {\n    fn a(&self);\n\n    /// Says something.\n    async fn b(&self) {\n        \
                    fn inner() {}\n    }\n}\n\nimpl T for U {\n    fn a(&self) {}\n}\n";
        assert_eq!(found(text), ["3 fn a"]);
    }
}
