//! Reads the modules of one file: their declarations, their imports, and the paths in their code.
//!
//! Does not look at other files. The input is the output of `source::code`, without comments, literals and tests.

use std::collections::{BTreeMap, BTreeSet};

/// A module: a file, or `mod name { ... }` in a file.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// Modules `mod name { ... }` in this one, as indices into the modules of the file.
    pub(super) inline: BTreeMap<String, usize>,
    /// Names of modules in files of their own: `mod name;`.
    pub(super) declared: BTreeSet<String>,
    /// Names of functions, types, traits, constants and macros.
    pub(super) items: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    /// All paths outside of `use` declarations. A single name counts as a path.
    pub(super) mentions: Vec<Path>,
}

/// One leaf of a `use` declaration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Path,
    /// The imported name, after `as` if there is one; `None` for `*`.
    pub(super) name: Option<String>,
    /// Whether it is a re-export: `pub use` or `pub(...) use`.
    pub(super) exported: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) segments: Vec<String>,
    /// From 1.
    pub(super) line: usize,
}

/// The modules of a file. The first is the file itself.
pub(super) fn modules(code: &str) -> Vec<Module> {
    let mut reader = Reader {
        tokens: tokens(code),
        at: 0,
        depth: 0,
        variants: 0,
        open: vec![(0, 0)],
        modules: vec![Module::default()],
    };
    while reader.at < reader.tokens.len() {
        reader.step();
    }
    reader.modules
}

struct Token<'a> {
    text: &'a str,
    line: usize,
}

struct Reader<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    /// Number of open brackets of any kind.
    depth: usize,
    /// The depth of the variants of the current `enum`; 0 outside of an `enum`.
    variants: usize,
    /// The modules that contain the current token, each with the depth of its items.
    open: Vec<(usize, usize)>,
    modules: Vec<Module>,
}

impl Reader<'_> {
    fn step(&mut self) {
        match self.text(0) {
            "{" | "(" | "[" => self.depth += 1,
            "}" | ")" | "]" => self.close(),
            "mod" if is_name(self.text(1)) => return self.module(),
            "use" if !matches!(self.text(1), "<" | "::") => {
                let exported = self.is_exported();
                self.at += 1;
                return self.use_tree(&[], exported);
            }
            "macro_rules" if self.text(1) == "!" => self.item(2),
            "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static"
                if self.at_module_level() && is_name(self.text(1)) && !matches!(self.text(1), "fn" | "unsafe") =>
            {
                if self.text(0) == "enum" {
                    self.variants = self.depth + 1;
                }
                self.item(1);
            }
            text if is_name(text) => return self.mention(),
            _ => {}
        }
        self.at += 1;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth < self.variants {
            self.variants = 0;
        }
        self.open.pop_if(|(module, inside)| *module != 0 && *inside > self.depth);
    }

    fn module(&mut self) {
        let name = self.text(1).to_owned();
        if self.text(2) == ";" {
            self.current().declared.insert(name);
        } else if self.text(2) == "{" {
            let index = self.modules.len();
            self.current().inline.insert(name, index);
            self.modules.push(Module::default());
            self.depth += 1;
            self.open.push((index, self.depth));
        }
        self.at += 3;
    }

    fn item(&mut self, offset: usize) {
        let name = self.text(offset).to_owned();
        self.current().items.insert(name);
        self.at += offset;
    }

    /// Reads one branch of a `use` declaration, up to the `,`, `}` or `;` that follows.
    fn use_tree(&mut self, prefix: &[String], exported: bool) {
        let mut segments = prefix.to_vec();
        while self.at < self.tokens.len() {
            let line = self.tokens[self.at].line;
            match self.text(0) {
                "{" => {
                    self.at += 1;
                    while !matches!(self.text(0), "}" | "") {
                        self.use_tree(&segments, exported);
                        self.at += usize::from(self.text(0) == ",");
                    }
                    self.at += 1;
                    return;
                }
                "*" => {
                    self.at += 1;
                    self.current().imports.push(Import { path: Path { segments, line }, name: None, exported });
                    return;
                }
                text if is_name(text) => {
                    segments.push(text.to_owned());
                    self.at += 1;
                    if self.text(0) == "::" {
                        self.at += 1;
                        continue;
                    }
                    // `a::{self}` imports `a`.
                    segments.pop_if(|last| *last == "self" && !prefix.is_empty());
                    let mut name = segments.last().cloned();
                    if self.text(0) == "as" {
                        name = Some(self.text(1).to_owned());
                        self.at += 2;
                    }
                    self.current().imports.push(Import { path: Path { segments, line }, name, exported });
                    return;
                }
                _ => {
                    self.at += 1;
                    return;
                }
            }
        }
    }

    fn mention(&mut self) {
        let starts = self.starts_path();
        let line = self.tokens[self.at].line;
        let mut segments = vec![self.text(0).to_owned()];
        self.at += 1;
        while self.text(0) == "::" && is_name(self.text(1)) {
            segments.push(self.text(1).to_owned());
            self.at += 2;
        }
        // `name:` is a field or a parameter.
        if starts && (segments.len() > 1 || self.text(0) != ":") {
            self.current().mentions.push(Path { segments, line });
        }
    }

    /// Whether the current name can begin a path. It cannot after a dot (field or method), the quote of a lifetime or `::`, or if it is the name of
    /// a new item or variant.
    fn starts_path(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).map_or("", |index| self.tokens[index].text);
        match before(1) {
            "." => before(2) == ".",
            "'" | "::" | "let" | "mut" | "fn" | "type" | "const" | "static" | "struct" | "enum" => false,
            "{" | "," | "]" => self.depth != self.variants || self.variants == 0,
            _ => true,
        }
    }

    /// Whether `pub` or `pub(...)` stands before the current token.
    fn is_exported(&self) -> bool {
        let before = self.tokens[..self.at].iter().rev().map(|token| token.text);
        match before.clone().next() {
            Some("pub") => true,
            Some(")") => before.skip_while(|text| *text != "(").nth(1) == Some("pub"),
            _ => false,
        }
    }

    fn at_module_level(&self) -> bool {
        self.open.last().is_some_and(|(_, inside)| *inside == self.depth)
    }

    fn current(&mut self) -> &mut Module {
        let index = self.open.last().map_or(0, |(module, _)| *module);
        &mut self.modules[index]
    }

    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Splits code into names, numbers, `::`, and single other characters.
fn tokens(code: &str) -> Vec<Token<'_>> {
    let (mut found, mut line, mut rest) = (Vec::new(), 1, code);
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        let (text, tail) = rest.split_at(length);
        if !first.is_whitespace() {
            found.push(Token { text, line });
        }
        line += usize::from(first == '\n');
        rest = tail;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(code: &str) -> Vec<(String, Option<String>, bool)> {
        let imports = modules(code).remove(0).imports;
        imports.into_iter().map(|import| (import.path.segments.join("::"), import.name, import.exported)).collect()
    }

    #[test]
    fn each_leaf_of_a_use_is_an_import() {
        let found = imports("use crate::{a::{self, B as C}, d::*};\npub(in crate::x) use super::E;");
        let name = |name: &str| Some(name.to_owned());
        let wanted = [
            ("crate::a".into(), name("a"), false),
            ("crate::a::B".into(), name("C"), false),
            ("crate::d".into(), None, false),
            ("super::E".into(), name("E"), true),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn items_are_those_of_the_module_and_not_of_its_types() {
        let found = modules(
            "pub const fn f() {}\nimpl X { fn g() {} }\nmacro_rules! m { () => {} }\nmod a;\nmod b { struct S; }\nenum E {}",
        );
        assert_eq!(found[0].items, ["E", "f", "m"].map(String::from).into());
        assert_eq!(found[0].declared, ["a".to_owned()].into());
        assert_eq!(found[found[0].inline["b"]].items, ["S".to_owned()].into());
    }

    #[test]
    fn variants_are_no_paths_and_what_they_hold_is() {
        let code = "enum E { #[error(transparent)] A, B(C, D), E { f: G }, }\nfn f() { [H, I] }";
        let found: Vec<_> = modules(code).remove(0).mentions.iter().map(|path| path.segments.join("::")).collect();
        assert_eq!(found, ["error", "transparent", "C", "D", "G", "H", "I"]);
    }

    #[test]
    fn fields_methods_and_lifetimes_are_no_paths() {
        let code = "fn f<'a>(x: &'a T) { x.y::<U>(); g::h(1); 0..k::L; S { field: z } }";
        let found: Vec<_> = modules(code).remove(0).mentions.iter().map(|path| path.segments.join("::")).collect();
        assert_eq!(found, ["T", "x", "U", "g::h", "k::L", "S", "z"]);
    }
}
