//! The methods as a page: no script, nothing from elsewhere.

use std::fmt::Write as _;

use pds_lexicon::{Catalog, Kind};
use serde_json::Value;

use super::{document::family, schema::Translator};
use crate::api::{
    permission::Permission,
    table::{METHODS, Method},
};

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Methods of this server</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code{font-family:ui-monospace,monospace}summary{cursor:pointer}h2{margin-top:2rem}table{border-collapse:collapse}
td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}
</style></head><body>
<h1>Methods of this server</h1>
<p>The XRPC methods that this server answers itself, with the credential that each asks for. Programs read
<a href=\"/openapi.json\">/openapi.json</a>. Requests for other methods are passed on to other services, where this server has some.</p>
";

/// The page, the same for everybody.
pub(super) fn page() -> String {
    let translator = Translator::new();
    let (mut page, mut current) = (HEAD.to_owned(), "");
    for method in METHODS {
        if family(method.nsid) != current {
            current = family(method.nsid);
            writeln!(page, "<h2>{}</h2>", escape(current)).expect(WRITES);
        }
        section(&mut page, method, &translator.method(method.nsid));
    }
    page + "</body></html>\n"
}

const WRITES: &str = "a String takes all text";

fn section(page: &mut String, method: &Method, definition: &Value) {
    let kind = match Catalog::bundled().method(method.nsid).map(|lexicon| lexicon.kind()) {
        Some(Kind::Procedure) => "POST",
        Some(Kind::Subscription) => "websocket",
        _ => "GET",
    };
    let nsid = escape(method.nsid);
    let credential = escape(&method.requirement.to_string());
    writeln!(page, "<details id=\"{nsid}\"><summary><code>{nsid}</code> ({kind}): {credential}</summary><table>")
        .expect(WRITES);
    if method.permission != Permission::NotAsked {
        row(page, "OAuth permission", &format!("<code>{}</code>", escape(&method.permission.to_string())));
    }
    let parameters = &definition["parameters"];
    properties(page, "Parameters", parameters);
    if let Some(input) = definition.get("input") {
        row(page, "Input", &format!("<code>{}</code>", escape(input["encoding"].as_str().unwrap_or_default())));
        properties(page, "Fields", &input["schema"]);
    }
    if let Some(output) = definition.get("output") {
        row(page, "Output", &format!("<code>{}</code>", escape(output["encoding"].as_str().unwrap_or_default())));
    }
    let errors = definition["errors"].as_array().into_iter().flatten().filter_map(|error| error["name"].as_str());
    let errors: Vec<_> = errors.map(|name| format!("<code>{}</code>", escape(name))).collect();
    if !errors.is_empty() {
        row(page, "Errors", &errors.join(", "));
    }
    page.push_str("</table></details>\n");
}

fn properties(page: &mut String, title: &str, schema: &Value) {
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let names = schema["properties"].as_object().into_iter().flatten();
    let list: Vec<_> = names
        .map(|(name, property)| {
            let kind = property["format"].as_str().or(property["type"].as_str()).unwrap_or_default();
            let need = if required.contains(&name.as_str()) { "" } else { ", optional" };
            format!("<code>{}</code> ({}{need})", escape(name), escape(kind))
        })
        .collect();
    if !list.is_empty() {
        row(page, title, &list.join("<br>"));
    }
}

fn row(page: &mut String, title: &str, html: &str) {
    writeln!(page, "<tr><th>{title}</th><td>{html}</td></tr>").expect(WRITES);
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_method() {
        let page = page();
        for method in METHODS {
            assert!(page.contains(&format!("id=\"{}\"", method.nsid)), "{}", method.nsid);
        }
        assert!(!page.contains("<script") && escape("<a href=\"x\">&") == "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
