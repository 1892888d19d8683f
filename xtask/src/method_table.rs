//! The table of the server's methods.
//!
//! Reads it as source: a dependency on the server would make every generated file wait for its compilation. A test of the server compares
//! the page that is generated from it with the table that is compiled.

use anyhow::{Context, Result, bail, ensure};
use syn::{Expr, Item, Lit};

pub(crate) const TABLE: &str = "pds/server/src/api/table.rs";

/// A row of the table.
pub(crate) struct Method {
    pub(crate) nsid: String,
    pub(crate) credential: String,
    pub(crate) oauth: String,
}

/// The rows of the constant `METHODS`.
pub(crate) fn methods(source: &str) -> Result<Vec<Method>> {
    let file = syn::parse_file(source).with_context(|| format!("parse {TABLE}"))?;
    let table = file.items.iter().find_map(|item| match item {
        Item::Const(constant) if constant.ident == "METHODS" => Some(&*constant.expr),
        _ => None,
    });
    let Some(Expr::Reference(table)) = table else { bail!("{TABLE} has no constant METHODS that is a reference") };
    let Expr::Array(rows) = &*table.expr else { bail!("METHODS in {TABLE} is no array") };
    rows.elems.iter().map(method).collect()
}

/// `Method::new("NSID", REQUIREMENT, HANDLER)`, with calls behind it of which one may be `oauth(PERMISSION)`.
fn method(row: &Expr) -> Result<Method> {
    let (mut row, mut permission) = (row, None);
    while let Expr::MethodCall(call) = row {
        if call.method == "oauth" {
            permission = call.args.first();
        }
        row = &call.receiver;
    }
    let Expr::Call(new) = row else { bail!("a row of METHODS in {TABLE} does not begin with Method::new") };
    let mut arguments = new.args.iter();
    let (Some(Expr::Lit(nsid)), Some(Expr::Path(requirement))) = (arguments.next(), arguments.next()) else {
        bail!("a row of METHODS in {TABLE} has no NSID and requirement");
    };
    let Lit::Str(nsid) = &nsid.lit else { bail!("an NSID in {TABLE} is no text") };
    let requirement = last(&requirement.path);
    let oauth = match permission {
        Some(permission) => scope(permission)?,
        None if is_of_account(&requirement) => "refused".to_owned(),
        None => String::new(),
    };
    Ok(Method { nsid: nsid.value(), credential: credential(&requirement)?.to_owned(), oauth })
}

fn last(path: &syn::Path) -> String {
    path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default()
}

/// The words of `Requirement`'s `Display`, which a test of the server compares.
fn credential(requirement: &str) -> Result<&'static str> {
    Ok(match requirement {
        "Nothing" => "none",
        "Viewer" => "none, or a session or the administrator's password",
        "OptionalService" => "none, or a service token",
        "Account" => "session",
        "ActiveAccount" => "session of an active account",
        "AccountOrService" => "session, or a service token of the account",
        "AccountOrTakendown" => "session, also of a taken-down account",
        "FullAccount" => "session, not of an app password",
        "FullOrTakendown" => "session, not of an app password, also of a taken-down account",
        "Refresh" => "refresh token",
        "Admin" => "administrator's password",
        "Moderator" => "administrator's password, or a token of the moderation service",
        other => bail!("Requirement::{other} has no words in xtask/src/method_table.rs"),
    })
}

fn is_of_account(requirement: &str) -> bool {
    !["Nothing", "OptionalService", "Refresh", "Admin", "Moderator"].contains(&requirement)
}

/// The words of `Permission`'s `Display`.
fn scope(permission: &Expr) -> Result<String> {
    Ok(match permission {
        Expr::Path(path) => match last(&path.path).as_str() {
            "NotAsked" => String::new(),
            "Refused" => "refused".to_owned(),
            "AnySession" => "atproto".to_owned(),
            "Handle" => "identity:handle".to_owned(),
            "Identity" => "identity:*".to_owned(),
            "Upload" => "blob:MEDIA_TYPE".to_owned(),
            "Calls" => "rpc:METHOD?aud=SERVICE".to_owned(),
            other => bail!("Permission::{other} has no words in xtask/src/method_table.rs"),
        },
        Expr::Struct(account) => {
            let values = account.fields.iter().map(|field| match &field.expr {
                Expr::Path(path) => last(&path.path).to_lowercase(),
                _ => String::new(),
            });
            let values: Vec<_> = values.collect();
            ensure!(values.len() == 2, "a permission of an account has an attribute and an action");
            format!("account:{}?action={}", values[0], values[1])
        }
        Expr::Call(records) => format!("repo:COLLECTION?{}", actions(records.args.first())),
        _ => bail!("a permission in {TABLE} has an unknown form"),
    })
}

fn actions(list: Option<&Expr>) -> String {
    let names = match list {
        Some(Expr::Reference(list)) => match &*list.expr {
            Expr::Array(array) => array
                .elems
                .iter()
                .filter_map(|action| match action {
                    Expr::Path(path) => Some(last(&path.path).to_lowercase()),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        },
        // The constant with all of them.
        _ => ["create", "update", "delete"].map(str::to_owned).to_vec(),
    };
    names.iter().map(|name| format!("action={name}")).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_with_what_is_called_on_them() {
        let source = r#"pub const METHODS: &[Method] = &[
            Method::new("a.b.c", Requirement::Nothing, |verb| on(verb, c)),
            Method::new("a.b.d", FullAccount, |verb| { on(verb, d) }).limits(X).records(),
            Method::new("a.b.e", Account, |verb| on(verb, e)).oauth(Permission::Records(&[Create, Update])).limits(X),
            Method::new("a.b.f", Account, |verb| on(verb, f)).oauth(Permission::Account { attribute: Attribute::Email, action: Manage }),
            Method::new("a.b.g", Account, |verb| on(verb, g)).oauth(Permission::Records(ALL)),
        ];"#;
        let rows: Vec<_> =
            methods(source).unwrap().into_iter().map(|row| (row.nsid, row.credential, row.oauth)).collect();
        let expected = [
            ("a.b.c", "none", ""),
            ("a.b.d", "session, not of an app password", "refused"),
            ("a.b.e", "session", "repo:COLLECTION?action=create&action=update"),
            ("a.b.f", "session", "account:email?action=manage"),
            ("a.b.g", "session", "repo:COLLECTION?action=create&action=update&action=delete"),
        ];
        assert_eq!(
            rows,
            expected.map(|(nsid, credential, oauth)| (nsid.to_owned(), credential.to_owned(), oauth.to_owned()))
        );
        assert!(methods("pub const METHODS: &[Method] = &[Method::new(\"a.b.c\", Whoever, x)];").is_err());
    }
}
