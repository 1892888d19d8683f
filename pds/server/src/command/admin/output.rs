//! What commands print: tables and lines for people, JSON for programs.

use std::io::{Write, stdout};

use anyhow::Context;
use serde_json::Value;

/// The title of a column, and what it shows of a row.
pub(in crate::command) type Column = (&'static str, fn(&Value) -> String);

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(in crate::command) struct Output {
    pub(in crate::command) json: bool,
}

impl Output {
    /// A list, as a table with these columns: the title, and the text of a row.
    pub(in crate::command) fn list(self, rows: &[Value], columns: &[Column]) -> anyhow::Result<()> {
        if self.json {
            return print(&format!("{}\n", Value::from(rows.to_vec())));
        }
        let mut cells = vec![columns.iter().map(|(title, _)| (*title).to_owned()).collect::<Vec<_>>()];
        cells.extend(rows.iter().map(|row| columns.iter().map(|(_, text)| text(row)).collect()));
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<_> = (0..columns.len()).map(width).collect();
        let mut text = String::new();
        for row in &cells {
            let line: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
            text += line.trim_end();
            text.push('\n');
        }
        print(&text)
    }

    /// Bare lines, for scripts that read one.
    pub(in crate::command) fn lines(self, lines: impl Iterator<Item = String>) -> anyhow::Result<()> {
        print(&lines.map(|line| line + "\n").collect::<String>())
    }

    /// One value, as lines of name and text; those without a text are left out.
    pub(in crate::command) fn value(self, value: &Value, lines: &[(&str, String)]) -> anyhow::Result<()> {
        if self.json {
            return print(&format!("{value}\n"));
        }
        let width = lines.iter().map(|(name, _)| name.len() + 1).max().unwrap_or_default();
        let lines = lines.iter().filter(|(_, text)| !text.is_empty());
        let text: String = lines.map(|(name, text)| format!("{:width$} {text}\n", format!("{name}:"))).collect();
        print(&text)
    }
}

/// Text of a field, or nothing.
pub(in crate::command) fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("write to standard output")
}
