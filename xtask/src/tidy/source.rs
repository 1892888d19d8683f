//! A partial reader of Rust's grammar: finds code and the paths in it.

/// The text without comments and literals. They are replaced by spaces, so that line numbers stay the same.
///
/// Items with `#[cfg(test)]` are blanked too, because the rules apply to code that is built for users.
pub(super) fn code(text: &str) -> String {
    let visible = without_comments_and_strings(text);
    let mut out = String::with_capacity(visible.len());
    let mut rest = visible.as_str();
    while let Some(start) = rest.find(TEST_ONLY) {
        let (before, item) = rest.split_at(start);
        let (blanked, after) = item.split_at(item_length(item));
        out.push_str(before);
        out.extend(blanked.chars().filter(|c| *c == '\n'));
        rest = after;
    }
    out + rest
}

const TEST_ONLY: &str = "#[cfg(test)]";

/// The length of the item at the start, with its attributes: up to its `;`, or up to the end of its `{...}`.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (index, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return index,
            '}' if depth == 1 => return index + 1,
            ')' | ']' | '}' => depth -= 1,
            ';' if depth == 0 => return index + 1,
            _ => {}
        }
    }
    code.len()
}

fn without_comments_and_strings(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| string(rest)).or_else(|| character(rest));
        let length = skipped.unwrap_or(first.len_utf8());
        let (token, tail) = rest.split_at(length);
        match skipped {
            Some(_) => out.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
            None => out.push_str(token),
        }
        rest = tail;
    }
    out
}

/// The top-level modules of the crate that the code names with `crate::` or with a chain of `super::`, each with its line.
///
/// `depth` is the number of modules between the file and the crate's root.
pub(super) fn crate_modules(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in starts(code, "crate::") {
        first_names(&code[index + "crate::".len()..], line, &mut found);
    }
    let climb = "super::".repeat(depth);
    for (index, line) in starts(code, "super::") {
        let tail = &code[index..];
        // Only a chain of `depth` times `super::` leads to the root. `starts` does not return the inner parts of a chain.
        if depth > 0 && tail.starts_with(&climb) && !tail[climb.len()..].starts_with("super::") {
            first_names(&tail[climb.len()..], line, &mut found);
        }
    }
    found
}

/// The lines on which the code names a crate: `name::` at the start of a path, or `use name;`.
pub(super) fn uses_of_crate(code: &str, name: &str) -> Vec<usize> {
    let (path, import) = (format!("{name}::"), format!("use {name};"));
    starts(code, &path).chain(starts(code, &import)).map(|(_, line)| line).collect()
}

/// Byte offset and line of each place where `wanted` begins a path, which means that no name and no `::` stands before it.
fn starts<'a>(code: &'a str, wanted: &'a str) -> impl Iterator<Item = (usize, usize)> {
    code.match_indices(wanted).filter_map(|(index, _)| {
        let before = &code[..index];
        let begins = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        begins.then(|| (index, before.matches('\n').count() + 1))
    })
}

/// The first name of a path, or of each path of a `{...}` list.
fn first_names(path: &str, line: usize, found: &mut Vec<(usize, String)>) {
    let name =
        |text: &str| -> String { text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(list) = path.strip_prefix('{') else {
        found.push((line, name(path)));
        return;
    };
    let (mut depth, mut begin, mut line_of_item) = (0, 0, line);
    for (index, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let item = &list[begin..index];
                let blank_lines = item.len() - item.trim_start().len();
                let line = line_of_item + item[..blank_lines].matches('\n').count();
                found.extend(Some((line, name(item))).filter(|(_, name)| !name.is_empty()));
                line_of_item += item.matches('\n').count();
                begin = index + 1;
                if c == '}' {
                    return;
                }
            }
            _ => {}
        }
    }
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let (mut depth, mut index) = (0_usize, 0);
    while index < rest.len() {
        let tail = &rest[index..];
        if tail.starts_with("/*") {
            depth += 1;
            index += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            index += 2;
            if depth == 0 {
                return Some(index);
            }
        } else {
            index += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(rest.len())
}

/// Length of the string literal at the start, raw or not.
fn string(rest: &str) -> Option<usize> {
    let raw = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r').map(|tail| {
        let hashes = tail.len() - tail.trim_start_matches('#').len();
        (rest.len() - tail.len() + hashes, hashes)
    });
    if let Some((open, hashes)) = raw
        && rest[open..].starts_with('"')
    {
        let close = format!("\"{}", "#".repeat(hashes));
        let end = rest[open + 1..].find(&close)?;
        return Some(open + 1 + end + close.len());
    }
    if !rest.starts_with('"') {
        return None;
    }
    let mut escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(index + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// Length of the character literal at the start. A lifetime is not a literal.
fn character(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    let mut chars = inner.chars();
    match (chars.next()?, chars.next()) {
        ('\\', Some(_)) => inner[2..].find('\'').map(|end| end + 4),
        (c, Some('\'')) => Some(c.len_utf8() + 2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_tests_are_no_code() {
        let text = "use crate::a; // crate::b\n/* crate::c /* x */ */ let s = \"crate::d\\\"\";\nlet r = r#\"crate::e\"#; \
                    let q = '\"'; crate::f::g();\n#[cfg(test)]\nmod tests { use crate::h; }\n";
        let names: Vec<_> = crate_modules(&code(text), 1);
        assert_eq!(names, [(1, "a".into()), (3, "f".into())]);
        assert_eq!(code(text).lines().count(), text.lines().count());
    }

    #[test]
    fn only_the_item_of_the_test_is_blanked() {
        let text = "#[cfg(test)]\nmod tests;\nuse crate::a;\nfn f() {\n    #[cfg(test)]\n    let x = [1; 2];\n    crate::b::g();\n}\n";
        assert_eq!(crate_modules(&code(text), 1), [(3, "a".into()), (7, "b".into())]);
        assert_eq!(
            crate_modules(&code("#[cfg(test)]\n#[path = \"x.rs\"]\nmod t { use crate::c; }\nuse crate::d;"), 1),
            [(4, "d".into())]
        );
    }

    #[test]
    fn lists_give_each_first_name() {
        let text = "use crate::{\n    actor::{self, Repo},\n    xrpc::Output, App,\n};\n";
        let names = crate_modules(text, 1);
        assert_eq!(names, [(2, "actor".into()), (3, "xrpc".into()), (3, "App".into())]);
    }

    #[test]
    fn a_chain_of_super_to_the_root_is_found() {
        let text = "use super::super::api;\nuse super::sibling;\nfn f<'a>(x: &'a str) {}\n";
        assert_eq!(crate_modules(text, 2), [(1, "api".into())]);
        assert_eq!(crate_modules("use super::api;\n", 1), [(1, "api".into())]);
    }

    #[test]
    fn a_crate_is_named_at_the_start_of_a_path() {
        let text = "use sqlx::query;\nuse pds_sqlx::x;\nuse crate::sqlx::y;\nuse sqlx;\nlet a: sqlx::Error;\n";
        let mut lines = uses_of_crate(text, "sqlx");
        lines.sort_unstable();
        assert_eq!(lines, [1, 4, 5]);
    }
}
