//! The tests of each XRPC method, which stand in a file with the method's name.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::table::DESK;
use crate::method_table::{TABLE, methods};
use crate::tree::Tree;

const TESTS: &str = "pds/server/tests/it";

/// Methods without a file of their own: the file that shows them, below the folder of tests, and why it is another.
const SHARED: &[(&str, &str, &str)] = &[
    ("app.bsky.notification.unregisterPush", "notification/register_push.rs", "what was registered is unregistered"),
    (
        "com.atproto.server.requestAccountDelete",
        "server/delete_account.rs",
        "the code that it mails deletes the account",
    ),
    ("com.atproto.server.requestEmailUpdate", "server/update_email.rs", "the code that it mails changes the address"),
    ("dev.auroralocus.admin.listInviteCodes", "admin/create_invite_codes.rs", "it lists the codes that were made"),
    ("dev.auroralocus.admin.listSessions", "server/list_sessions.rs", "the owner and the administrator see the same"),
    ("dev.auroralocus.admin.revokeSessions", "server/list_sessions.rs", "what is revoked is gone from the list"),
    ("dev.auroralocus.server.revokeSession", "server/list_sessions.rs", "what is revoked is gone from the list"),
];

/// Methods that are asked for and do not exist, each with the work that it is left to if it is left to other work.
pub(crate) const WANTED: &[(&str, Option<&str>)] = &[
    ("com.atproto.label.queryLabels", Some(DESK)),
    ("dev.auroralocus.account.createAppPassword", None),
    ("dev.auroralocus.account.getExport", None),
    ("dev.auroralocus.account.requestExport", None),
    ("dev.auroralocus.admin.applyLabel", Some(DESK)),
    ("dev.auroralocus.admin.claimReport", Some(DESK)),
    ("dev.auroralocus.admin.createInviteCodes", None),
    ("dev.auroralocus.admin.getReport", Some(DESK)),
    ("dev.auroralocus.admin.getStats", None),
    ("dev.auroralocus.admin.getSystemHealth", None),
    ("dev.auroralocus.admin.grantRole", Some(DESK)),
    ("dev.auroralocus.admin.listActivity", None),
    ("dev.auroralocus.admin.listAuditLog", None),
    ("dev.auroralocus.admin.listJobs", None),
    ("dev.auroralocus.admin.listReports", Some(DESK)),
    ("dev.auroralocus.admin.listRoles", Some(DESK)),
    ("dev.auroralocus.admin.negateLabel", Some(DESK)),
    ("dev.auroralocus.admin.resolveReport", Some(DESK)),
    ("dev.auroralocus.admin.restoreAccount", None),
    ("dev.auroralocus.admin.revokeRole", Some(DESK)),
    ("dev.auroralocus.admin.runJob", None),
    ("dev.auroralocus.admin.setQuota", None),
    ("dev.auroralocus.admin.suspendAccount", None),
    ("dev.auroralocus.admin.unsuspendAccount", None),
    ("dev.auroralocus.blob.getMetadata", None),
    ("dev.auroralocus.blob.getThumbnail", None),
    ("dev.auroralocus.feed.getAggregate", None),
    ("dev.auroralocus.search.searchRecords", None),
];

/// The tests of a method.
pub(crate) struct Proof {
    pub(crate) nsid: String,
    /// The file of the method's tests, from the root.
    pub(crate) path: PathBuf,
    /// The reason for which the file has another name than the method, if it has.
    pub(crate) reason: Option<&'static str>,
    /// What the file lacks to show the method.
    pub(crate) missing: Option<&'static str>,
}

/// The methods of the table with their tests.
pub(crate) fn proofs(tree: &Tree) -> Result<Vec<Proof>> {
    let source = tree.text(Path::new(TABLE)).with_context(|| format!("{TABLE} is missing"))?;
    Ok(methods(source)?.into_iter().map(|method| proof(tree, method.nsid)).collect())
}

fn proof(tree: &Tree, nsid: String) -> Proof {
    let shared = SHARED.iter().find(|(method, ..)| *method == nsid);
    let path = match shared {
        Some((_, file, _)) => Path::new(TESTS).join(file),
        None => by_name(tree, &nsid),
    };
    let missing = match tree.text(&path) {
        None => Some("is missing"),
        Some(text) if !text.contains(&nsid) => Some("does not name the method"),
        Some(text) if !["#[tokio::test]", "#[test]", "on_both", "on_places"].iter().any(|test| text.contains(test)) => {
            Some("has no test")
        }
        Some(_) => None,
    };
    Proof { nsid, path, reason: shared.map(|(.., reason)| *reason), missing }
}

/// `FAMILY/METHOD.rs`, or `FAMILY/METHOD/mod.rs` if there is such a folder.
fn by_name(tree: &Tree, nsid: &str) -> PathBuf {
    let mut parts = nsid.rsplit('.');
    let (method, family) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut snake = String::new();
    for c in method.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    let folder = Path::new(TESTS).join(family).join(&snake);
    let inside = folder.join("mod.rs");
    if tree.text(&inside).is_some() { inside } else { folder.with_extension("rs") }
}

/// The methods of `SHARED` that the table does not have, or that have a file with their name.
pub(crate) fn needless(tree: &Tree, proofs: &[Proof]) -> Vec<&'static str> {
    let is_needless =
        |nsid: &str| !proofs.iter().any(|proof| proof.nsid == nsid) || tree.text(&by_name(tree, nsid)).is_some();
    SHARED.iter().map(|(nsid, ..)| *nsid).filter(|nsid| is_needless(nsid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_shown_by_the_tests_of_the_file_with_its_name() {
        let file = |path: &str, text: &str| (Path::new(TESTS).join(path), text.to_owned());
        let tree = Tree {
            files: vec![
                file("repo/get_record.rs", "on_both!(a, ...) com.atproto.repo.getRecord"),
                file("repo/import_repo/mod.rs", "#[test] com.atproto.repo.importRepo"),
                file("repo/list_records.rs", "com.atproto.repo.listRecords"),
                file("repo/put_record.rs", "#[test]"),
            ],
        };
        let of = |nsid: &str| {
            let proof = proof(&tree, nsid.to_owned());
            (proof.path.strip_prefix(TESTS).unwrap().display().to_string(), proof.missing)
        };
        assert_eq!(of("com.atproto.repo.getRecord"), ("repo/get_record.rs".to_owned(), None));
        assert_eq!(of("com.atproto.repo.importRepo"), ("repo/import_repo/mod.rs".to_owned(), None));
        assert_eq!(of("com.atproto.repo.listRecords"), ("repo/list_records.rs".to_owned(), Some("has no test")));
        assert_eq!(of("com.atproto.repo.putRecord").1, Some("does not name the method"));
        assert_eq!(of("com.atproto.repo.deleteRecord").1, Some("is missing"));
    }
}
