//! The graph of uses between files. Joins the modules of all files to trees and follows each path to the file that defines its item.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::syntax::{self, Module};
use crate::tidy::source::code;
use crate::tree::Tree;

/// The uses between the Rust files of the tree. A file is its index in `files`.
pub(super) struct Graph {
    pub(super) files: Vec<PathBuf>,
    /// Keys are the using file and the used file; the value is the first line with such a use.
    pub(super) uses: BTreeMap<(usize, usize), usize>,
}

impl Graph {
    pub(super) fn read(tree: &Tree) -> Self {
        let files: Vec<_> = tree.rust("").map(|(path, _)| path.to_owned()).collect();
        let texts = tree.rust("").map(|(_, text)| code(text));
        let names = Names::join(&files, texts.map(|code| syntax::modules(&code)).collect());
        let mut uses = BTreeMap::new();
        for module in 0..names.modules.len() {
            let from = names.modules[module].file;
            for (to, line) in names.used_by(module) {
                let first = uses.entry((from, to)).or_insert(line);
                *first = line.min(*first);
            }
        }
        uses.retain(|(from, to), _| from != to);
        Self { files, uses }
    }

    /// The strongly connected components with more than one file: each file uses all others of its group, directly or indirectly.
    pub(super) fn circles(&self) -> Vec<BTreeSet<usize>> {
        let reached: Vec<_> = (0..self.files.len()).map(|file| self.reached_from(file)).collect();
        let circle = |file: usize| -> BTreeSet<usize> {
            reached[file].iter().copied().filter(|other| reached[*other].contains(&file)).collect()
        };
        let circles: BTreeSet<_> = (0..self.files.len()).map(circle).filter(|circle| !circle.is_empty()).collect();
        circles.into_iter().collect()
    }

    fn reached_from(&self, file: usize) -> BTreeSet<usize> {
        let (mut reached, mut open) = (BTreeSet::new(), vec![file]);
        while let Some(from) = open.pop() {
            let next = self.uses.range((from, 0)..=(from, usize::MAX)).map(|((_, to), _)| *to);
            open.extend(next.filter(|to| reached.insert(*to)));
        }
        reached
    }
}

/// The module trees of all crates.
struct Names {
    modules: Vec<Placed>,
}

struct Placed {
    module: Module,
    file: usize,
    /// `None` for the root of a crate. A file that is declared only under `#[cfg(test)]` counts as a root.
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
}

/// What a path resolves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(usize),
    /// An item of the file.
    Item(usize),
}

impl Names {
    fn join(files: &[PathBuf], read: Vec<Vec<Module>>) -> Self {
        let (mut modules, mut first_of) = (Vec::new(), Vec::new());
        for (file, found) in read.into_iter().enumerate() {
            let first = modules.len();
            first_of.push(first);
            modules.extend(found.into_iter().map(|mut module| {
                let inline = std::mem::take(&mut module.inline);
                let children = inline.into_iter().map(|(name, index)| (name, first + index)).collect();
                Placed { module, file, parent: None, children }
            }));
        }
        let mut names = Self { modules };
        for parent in 0..names.modules.len() {
            let own = &names.modules[parent];
            let inline = own.children.values().copied().collect::<Vec<_>>();
            let declared = own.module.declared.iter().filter_map(|name| {
                let file = file_of(files, &files[own.file], name)?;
                Some((name.clone(), first_of[file]))
            });
            let declared: Vec<_> = declared.collect();
            for child in inline.into_iter().chain(declared.iter().map(|(_, child)| *child)) {
                names.modules[child].parent.get_or_insert(parent);
            }
            names.modules[parent].children.extend(declared);
        }
        names
    }

    /// The files whose items a module uses, each with the line.
    fn used_by(&self, module: usize) -> Vec<(usize, usize)> {
        let own = &self.modules[module].module;
        let mut found = Vec::new();
        // Re-exports are not uses.
        let imports = own.imports.iter().filter(|import| !import.exported && import.name.is_some());
        for path in imports.map(|import| &import.path).chain(&own.mentions) {
            for target in self.resolve(module, &path.segments, &mut Vec::new()) {
                found.extend(match target {
                    Target::Item(file) => Some((file, path.line)),
                    // The import of a module is not a use; the paths that begin with its name are.
                    Target::Module(_) => None,
                });
            }
        }
        found
    }

    /// What a path in a module resolves to. Empty if it leads out of the crate.
    ///
    /// `open` contains the imports that are being resolved, by module and index. An import that depends on itself resolves to nothing.
    fn resolve(&self, module: usize, path: &[String], open: &mut Vec<(usize, usize)>) -> Vec<Target> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        let mut found = match first.as_str() {
            "crate" => vec![Target::Module(self.root(module))],
            "self" => vec![Target::Module(module)],
            "super" => self.parent(module),
            name => self.look_up(module, name, open),
        };
        for name in rest {
            let modules: Vec<_> = found.iter().filter_map(|target| target.module()).collect();
            if modules.is_empty() {
                // Segments after an item name its variants or associated items.
                return found;
            }
            found = modules.iter().flat_map(|inside| self.step(*inside, name, open)).collect();
        }
        found
    }

    /// Resolves a segment that is not the first.
    fn step(&self, module: usize, name: &str, open: &mut Vec<(usize, usize)>) -> Vec<Target> {
        if name == "super" {
            return self.parent(module);
        }
        let found = self.look_up(module, name, open);
        // The item is made by a macro in that file, or re-exported there from another crate.
        if found.is_empty() { vec![Target::Item(self.modules[module].file)] } else { found }
    }

    /// Everything that a name stands for in a module. More than one, because a module and a function may have the same name.
    fn look_up(&self, module: usize, name: &str, open: &mut Vec<(usize, usize)>) -> Vec<Target> {
        let placed = &self.modules[module];
        let mut found = BTreeSet::new();
        found.extend(placed.children.get(name).map(|child| Target::Module(*child)));
        found.extend(placed.module.items.contains(name).then_some(Target::Item(placed.file)));
        found.extend(self.follow(module, Some(name), open));
        // Two modules may import `*` from each other, so these imports of a module are not resolved while they are being resolved.
        let wildcards = (module, usize::MAX);
        if found.is_empty() && !open.contains(&wildcards) {
            open.push(wildcards);
            for inside in self.follow(module, None, open).into_iter().filter_map(Target::module) {
                found.extend(self.look_up(inside, name, open));
            }
            open.pop();
        }
        found.into_iter().collect()
    }

    /// What the imports with this name resolve to; with `None`, the imports of `*`.
    fn follow(&self, module: usize, name: Option<&str>, open: &mut Vec<(usize, usize)>) -> Vec<Target> {
        let mut found = Vec::new();
        for (index, import) in self.modules[module].module.imports.iter().enumerate() {
            if import.name.as_deref() == name && !open.contains(&(module, index)) {
                open.push((module, index));
                found.extend(self.resolve(module, &import.path.segments, open));
                open.pop();
            }
        }
        found
    }

    fn parent(&self, module: usize) -> Vec<Target> {
        self.modules[module].parent.map(Target::Module).into_iter().collect()
    }

    fn root(&self, mut module: usize) -> usize {
        while let Some(parent) = self.modules[module].parent {
            module = parent;
        }
        module
    }
}

impl Target {
    fn module(self) -> Option<usize> {
        match self {
            Self::Module(module) => Some(module),
            Self::Item(_) => None,
        }
    }
}

/// The file of `mod name;` in `parent`.
fn file_of(files: &[PathBuf], parent: &Path, name: &str) -> Option<usize> {
    let folder = parent.parent()?;
    let own = parent.with_extension("");
    let candidates = [own.join(name).with_extension("rs"), own.join(name).join("mod.rs")];
    let beside = [folder.join(name).with_extension("rs"), folder.join(name).join("mod.rs")];
    candidates.iter().chain(&beside).find_map(|path| files.binary_search(path).ok())
}
