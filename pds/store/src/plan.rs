//! The statements that run often or over large tables, for the test that looks at their plans.

use crate::{
    Dialect, account, app_password, blob,
    dialect::postgres::commit::{self as batch, blobs, creates, lone},
    email_token, event, invite, mail, record, repo, reserved_key, session, snapshot,
};

/// Name and text of each. None of them may scan a table.
#[must_use]
pub fn hot(dialect: Dialect) -> Vec<(&'static str, &'static str)> {
    let mut hot = vec![
        ("account::by_id", account::BY_ID),
        ("account::by_did", account::BY_DID),
        ("account::by_handle", account::BY_HANDLE),
        ("account::by_email", account::BY_EMAIL),
        ("account::signing_key", account::SIGNING_KEY),
        ("account::stale_reservations", account::STALE),
        ("app_password::list", app_password::LIST),
        ("app_password::find", app_password::FIND),
        ("app_password::count", app_password::ANY),
        ("account::purgeable", account::PURGEABLE),
        ("account::due_for_deletion", account::DUE),
        ("email_token::get", email_token::GET),
        ("mail::is_due", mail::DUE),
        ("blob::get", blob::GET),
        ("blob::used_bytes", blob::USED),
        ("blob::count", blob::COUNT),
        ("blob::expected", blob::EXPECTED),
        ("blob::list", blob::LIST),
        ("blob::list since", blob::LIST_SINCE),
        ("blob::missing", blob::MISSING),
        ("blob::any_missing", blob::ANY_MISSING),
        ("blob::permanent", blob::PERMANENT),
        ("blob::sweepable", blob::SWEEPABLE),
        ("event::at", event::AT),
        ("invite::get", invite::GET),
        ("invite::list", invite::LIST),
        ("record::get", record::GET),
        ("record::visible", record::VISIBLE),
        ("record::same_subject", record::SAME_SUBJECT),
        ("snapshot::entries", snapshot::ENTRIES),
        ("repo::root", repo::ROOT),
        ("repo::load", repo::LOAD),
        ("repo::list", repo::LIST),
        ("reserved_key::for_did", reserved_key::FOR_DID),
        ("reserved_key::by_key", reserved_key::BY_KEY),
        ("reserved_key::for_account", reserved_key::FOR_ACCOUNT),
        ("session::get", session::GET),
    ];
    match dialect {
        Dialect::Sqlite => hot.extend([
            ("account::current", account::CURRENT_SQLITE),
            ("record::collections", record::COLLECTIONS_SQLITE),
            ("event::between", event::BETWEEN_SQLITE),
            ("snapshot::bodies", snapshot::BODIES_SQLITE),
            ("record::list descending", record::DESCENDING),
            ("record::list ascending", record::ASCENDING),
        ]),
        Dialect::Postgres => hot.extend([
            ("account::current", account::CURRENT_POSTGRES),
            ("record::collections", record::COLLECTIONS_POSTGRES),
            ("event::between", event::BETWEEN_POSTGRES),
            ("event::between alone", event::PAYLOAD),
            ("snapshot::bodies", snapshot::BODIES_POSTGRES),
            ("record::list descending", record::DESCENDING_POSTGRES),
            ("record::list ascending", record::ASCENDING_POSTGRES),
            ("commit_batch swap", batch::SWAP),
            ("commit_batch put", batch::PUT),
            ("commit_batch remove", batch::REMOVE),
            ("commit_batch refer lock", blobs::LOCK),
            ("commit_batch refer", blobs::REFER),
            ("commit_batch demote", blobs::DEMOTE),
            ("commit_batch lone", lone::SQL),
            ("commit_batch creates", creates::SQL),
        ]),
    }
    hot
}
