use super::*;

fn graph(files: &[(&str, &str)]) -> Graph {
    let mut files: Vec<_> = files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect();
    files.sort();
    Graph::read(&Tree { files })
}

/// The uses, as `from:line to`, without folders and extensions.
fn uses(files: &[(&str, &str)]) -> Vec<String> {
    let graph = graph(files);
    let name = |file: usize| graph.files[file].strip_prefix("x/src").unwrap().with_extension("").display().to_string();
    graph.uses.iter().map(|((from, to), line)| format!("{}:{line} {}", name(*from), name(*to))).collect()
}

#[test]
fn two_files_that_use_each_other_are_a_circle() {
    let files = [
        ("x/src/lib.rs", "mod a;\nmod b;\nmod c;"),
        ("x/src/a.rs", "\nuse crate::b::B;\npub struct A;"),
        ("x/src/b.rs", "pub struct B;\nfn f(a: super::a::A) {}"),
        ("x/src/c.rs", "use super::a::A;"),
    ];
    let problems = circles(&graph(&files));
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].to_string(),
        "x/src/a.rs:2: 2 files use each other in a circle: x/src/a.rs x/src/b.rs. x/src/a.rs:2 uses x/src/b.rs; x/src/b.rs:2 uses x/src/a.rs"
    );
}

#[test]
fn a_circle_may_go_through_many_files() {
    let files = [
        ("x/src/lib.rs", "mod a;\nmod b;\nmod c;"),
        ("x/src/a.rs", "fn f() { crate::b::f() }"),
        ("x/src/b.rs", "fn f() { crate::c::f() }"),
        ("x/src/c.rs", "fn f() { crate::a::f() }"),
    ];
    assert_eq!(graph(&files).circles().len(), 1);
    assert_eq!(graph(&files).circles()[0].len(), 3);
}

#[test]
fn a_folder_that_declares_and_re_exports_is_no_part_of_a_circle() {
    let files = [
        ("x/src/lib.rs", "pub mod f;"),
        ("x/src/f/mod.rs", "mod a;\nmod b;\npub use a::A;\npub(crate) use b::{B as C};"),
        ("x/src/f/a.rs", "use super::C;\npub struct A;"),
        ("x/src/f/b.rs", "pub struct B;"),
    ];
    assert_eq!(uses(&files), ["f/a:1 f/b"]);
}

#[test]
fn a_folder_that_uses_what_its_child_takes_from_it_is() {
    let files = [
        ("x/src/lib.rs", "mod f;"),
        ("x/src/f/mod.rs", "mod a;\npub use a::A;\npub struct Error;\nfn g() -> A {}"),
        ("x/src/f/a.rs", "pub struct A(super::Error);"),
    ];
    assert_eq!(uses(&files), ["f/a:1 f/mod", "f/mod:4 f/a"]);
    assert_eq!(graph(&files).circles().len(), 1);
}

#[test]
fn a_path_through_an_imported_module_leads_to_the_file_of_the_item() {
    let files = [
        ("x/src/lib.rs", "mod f;\nmod g;"),
        ("x/src/f/mod.rs", "mod a;\npub mod b;\npub use self::a::*;"),
        ("x/src/f/a.rs", "pub fn made() {}"),
        ("x/src/f/b.rs", "pub enum Kind { One }\nmake_items!(Hidden);"),
        (
            "x/src/g.rs",
            "use crate::f;\nuse crate::f::b::{self as bee};\n\nfn h() {\n    f::made();\n    bee::Kind::One;\n    f::b::Hidden;\n}",
        ),
    ];
    assert_eq!(uses(&files), ["g:5 f/a", "g:6 f/b"]);
}

#[test]
fn a_module_and_a_function_may_share_a_name() {
    let files = [
        ("x/src/lib.rs", "mod a;\nmod b;\nuse b::b;"),
        ("x/src/a.rs", "use super::b;\nfn f() { b::c() }"),
        ("x/src/b.rs", "pub fn b() {}\npub fn c() {}"),
    ];
    assert_eq!(uses(&files), ["a:1 b", "lib:3 b"]);
}

#[test]
fn a_wildcard_leads_to_the_names_that_are_used_of_it() {
    let files = [
        ("x/src/lib.rs", "mod a;\nmod b;\nmod c;"),
        ("x/src/a.rs", "use crate::b::*;\nfn f(x: B) {}"),
        ("x/src/b.rs", "pub struct B;"),
        ("x/src/c.rs", "use crate::b::*;\nfn f(x: u8) {}"),
    ];
    assert_eq!(uses(&files), ["a:2 b"]);
}

#[test]
fn imports_that_lead_to_themselves_end() {
    let files = [
        ("x/src/lib.rs", "mod a;\nmod b;"),
        ("x/src/a.rs", "pub use crate::b::*;\npub use crate::b::Lost;\nfn f(x: Lost, y: Gone) {}"),
        ("x/src/b.rs", "pub use crate::a::*;\npub use crate::a::Lost;"),
    ];
    assert!(uses(&files).is_empty());
}

#[test]
fn tests_other_crates_and_inner_modules_are_told_apart() {
    let files = [
        ("x/src/lib.rs", "mod a;\nmod b;\nmod inner { use super::a::A; }"),
        ("x/src/a.rs", "use serde::b::B;\nuse b::C;\npub struct A;\n#[cfg(test)]\nmod tests { use crate::b::B; }"),
        ("x/src/b.rs", "pub struct B;\nmod deep { fn f() -> super::super::a::A {} }"),
    ];
    assert_eq!(uses(&files), ["b:2 a", "lib:3 a"]);
}
