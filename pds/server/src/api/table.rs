//! Every method that this server answers: the credential that it asks for, its limits, its handler. The lexicon says whether it is a query or a
//! procedure.

use axum::routing::{MethodFilter, MethodRouter, on};

use pds_config::NeedsEmail;

use super::{admin, identity, repo, server, sync};
use crate::{
    app::App,
    auth::Requirement,
    rate_limit::{MethodLimits, cost},
};
use Requirement::{
    Account, AccountOrService, ActiveAccount, Admin, FullAccount, FullOrTakendown, Moderator, Nothing, OptionalService,
    Refresh, Viewer,
};

/// A method.
#[derive(Debug)]
pub struct Method {
    /// Its NSID.
    pub nsid: &'static str,
    /// The credential that it asks for.
    pub requirement: Requirement,
    /// Its limits, if it has some of its own.
    pub limits: Option<MethodLimits>,
    /// The size of its input.
    pub input: Input,
    /// Whether its output may be compressed.
    pub compressed: bool,
    /// The word of `PDS_REQUIRE_CONFIRMED_EMAIL` that makes it ask for a confirmed address, if one does.
    pub needs_email: Option<NeedsEmail>,
    /// Its handler, for a verb.
    pub handler: fn(MethodFilter) -> MethodRouter<App>,
}

/// Maximum size of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// 150 KiB: no records.
    Small,
    /// 1 MiB: records.
    Records,
    /// The handler limits it while it streams.
    Stream,
}

impl Method {
    const fn new(nsid: &'static str, requirement: Requirement, handler: fn(MethodFilter) -> MethodRouter<App>) -> Self {
        Self { nsid, requirement, limits: None, input: Input::Small, compressed: true, needs_email: None, handler }
    }

    const fn limits(self, limits: MethodLimits) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// The host may ask for a confirmed address.
    const fn confirmed(self, need: NeedsEmail) -> Self {
        Self { needs_email: Some(need), ..self }
    }

    const fn records(self) -> Self {
        Self { input: Input::Records, ..self }
    }

    const fn stream(self) -> Self {
        Self { input: Input::Stream, ..self }
    }

    /// Its output has a length, ranges and a tag that compression would change, or is no HTTP body.
    const fn uncompressed(self) -> Self {
        Self { compressed: false, ..self }
    }
}

/// The limits of the method with this NSID, if it has some of its own.
pub fn limits_of(nsid: &str) -> Option<MethodLimits> {
    METHODS.binary_search_by(|method| method.nsid.cmp(nsid)).ok().and_then(|at| METHODS[at].limits)
}

/// In the order of their NSIDs.
pub const METHODS: &[Method] = &[
    Method::new("com.atproto.admin.getSubjectStatus", Moderator, |verb| on(verb, admin::get_subject_status)),
    Method::new("com.atproto.admin.updateAccountSigningKey", Admin, |verb| on(verb, admin::update_account_signing_key)),
    Method::new("com.atproto.admin.updateSubjectStatus", Moderator, |verb| on(verb, admin::update_subject_status)),
    Method::new("com.atproto.identity.getRecommendedDidCredentials", Account, |verb| {
        on(verb, identity::get_recommended_did_credentials)
    }),
    Method::new("com.atproto.identity.refreshIdentity", Nothing, |verb| on(verb, identity::refresh_identity))
        .limits(MethodLimits::REFRESHED_IDENTITIES),
    Method::new("com.atproto.identity.resolveDid", Nothing, |verb| on(verb, identity::resolve_did)),
    Method::new("com.atproto.identity.resolveHandle", Nothing, |verb| on(verb, identity::resolve_handle)),
    Method::new("com.atproto.identity.resolveIdentity", Nothing, |verb| on(verb, identity::resolve_identity)),
    Method::new("com.atproto.identity.submitPlcOperation", Account, |verb| on(verb, identity::submit_plc_operation))
        .limits(MethodLimits::OWN_IDENTITY),
    Method::new("com.atproto.identity.updateHandle", Account, |verb| on(verb, identity::update_handle))
        .limits(MethodLimits::HANDLES),
    Method::new("com.atproto.repo.applyWrites", ActiveAccount, |verb| on(verb, repo::apply_writes))
        .limits(MethodLimits::WIDE)
        .records()
        .confirmed(NeedsEmail::Post),
    Method::new("com.atproto.repo.createRecord", ActiveAccount, |verb| on(verb, repo::create_record))
        .limits(MethodLimits::writes(cost::CREATE))
        .records()
        .confirmed(NeedsEmail::Post),
    Method::new("com.atproto.repo.deleteRecord", ActiveAccount, |verb| on(verb, repo::delete_record))
        .limits(MethodLimits::writes(cost::DELETE)),
    Method::new("com.atproto.repo.describeRepo", Nothing, |verb| on(verb, repo::describe_repo)),
    Method::new("com.atproto.repo.getRecord", Nothing, |verb| on(verb, repo::get_record)),
    // A deactivated account may be one that is moving here: its records and blobs come before its activation.
    Method::new("com.atproto.repo.importRepo", FullAccount, |verb| on(verb, repo::import_repo))
        .limits(MethodLimits::IMPORTS)
        .stream(),
    Method::new("com.atproto.repo.listMissingBlobs", Account, |verb| on(verb, repo::list_missing_blobs)),
    Method::new("com.atproto.repo.listRecords", Nothing, |verb| on(verb, repo::list_records)),
    Method::new("com.atproto.repo.putRecord", ActiveAccount, |verb| on(verb, repo::put_record))
        .limits(MethodLimits::writes(cost::UPDATE))
        .records()
        .confirmed(NeedsEmail::Post),
    Method::new("com.atproto.repo.uploadBlob", AccountOrService, |verb| on(verb, repo::upload_blob))
        .limits(MethodLimits::WIDE)
        .stream()
        .confirmed(NeedsEmail::Upload),
    Method::new("com.atproto.server.activateAccount", FullAccount, |verb| on(verb, server::activate_account))
        .limits(MethodLimits::OWN_IDENTITY),
    Method::new("com.atproto.server.checkAccountStatus", Account, |verb| on(verb, server::check_account_status))
        .limits(MethodLimits::OWN_IDENTITY),
    Method::new("com.atproto.server.confirmEmail", Account, |verb| on(verb, server::confirm_email)),
    Method::new("com.atproto.server.createAccount", OptionalService, |verb| on(verb, server::create_account))
        .limits(MethodLimits::SIGN_UPS),
    Method::new("com.atproto.server.createAppPassword", FullAccount, |verb| on(verb, server::create_app_password)),
    Method::new("com.atproto.server.createInviteCode", Admin, |verb| on(verb, server::create_invite_code)),
    Method::new("com.atproto.server.createInviteCodes", Admin, |verb| on(verb, server::create_invite_codes)),
    Method::new("com.atproto.server.createSession", Nothing, |verb| on(verb, server::create_session))
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.server.deactivateAccount", FullOrTakendown, |verb| on(verb, server::deactivate_account))
        .limits(MethodLimits::OWN_IDENTITY),
    Method::new("com.atproto.server.deleteAccount", Nothing, |verb| on(verb, server::delete_account))
        .limits(MethodLimits::DELETIONS),
    Method::new("com.atproto.server.deleteSession", Refresh, |verb| on(verb, server::delete_session)),
    Method::new("com.atproto.server.describeServer", Nothing, |verb| on(verb, server::describe_server)),
    Method::new("com.atproto.server.getSession", Account, |verb| on(verb, server::get_session)),
    Method::new("com.atproto.server.listAppPasswords", FullAccount, |verb| on(verb, server::list_app_passwords)),
    Method::new("com.atproto.server.refreshSession", Refresh, |verb| on(verb, server::refresh_session))
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.server.requestAccountDelete", FullAccount, |verb| {
        on(verb, server::request_account_delete)
    })
    .limits(MethodLimits::DELETION_REQUESTS),
    Method::new("com.atproto.server.requestEmailConfirmation", Account, |verb| {
        on(verb, server::request_email_confirmation)
    })
    .limits(MethodLimits::CONFIRMATIONS),
    Method::new("com.atproto.server.requestEmailUpdate", FullAccount, |verb| on(verb, server::request_email_update))
        .limits(MethodLimits::EMAIL_UPDATES),
    Method::new("com.atproto.server.requestPasswordReset", Nothing, |verb| on(verb, server::request_password_reset))
        .limits(MethodLimits::RESET_REQUESTS),
    Method::new("com.atproto.server.reserveSigningKey", Nothing, |verb| on(verb, server::reserve_signing_key))
        .limits(MethodLimits::KEYS),
    Method::new("com.atproto.server.resetPassword", Nothing, |verb| on(verb, server::reset_password))
        .limits(MethodLimits::RESETS),
    Method::new("com.atproto.server.revokeAppPassword", FullAccount, |verb| on(verb, server::revoke_app_password)),
    Method::new("com.atproto.server.updateEmail", FullAccount, |verb| on(verb, server::update_email)),
    Method::new("com.atproto.sync.getBlob", Viewer, |verb| on(verb, sync::get_blob))
        .limits(MethodLimits::WIDE)
        .uncompressed(),
    Method::new("com.atproto.sync.getBlocks", Viewer, |verb| on(verb, sync::get_blocks)).limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.getLatestCommit", Viewer, |verb| on(verb, sync::get_latest_commit))
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.getRecord", Viewer, |verb| on(verb, sync::get_record)).limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.getRepo", Viewer, |verb| on(verb, sync::get_repo)).limits(MethodLimits::EXPORTS),
    Method::new("com.atproto.sync.getRepoStatus", Nothing, |verb| on(verb, sync::get_repo_status))
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.listBlobs", Viewer, |verb| on(verb, sync::list_blobs)).limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.listRepos", Nothing, |verb| on(verb, sync::list_repos)).limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.subscribeRepos", Nothing, |verb| on(verb, sync::subscribe_repos))
        .limits(MethodLimits::WIDE)
        .uncompressed(),
];

#[cfg(test)]
mod tests {
    use pds_lexicon::Catalog;

    use super::*;

    #[test]
    fn every_method_has_a_lexicon_and_is_found() {
        assert!(METHODS.is_sorted_by_key(|method| method.nsid));
        for method in METHODS {
            assert!(Catalog::bundled().method(method.nsid).is_some(), "{}", method.nsid);
            assert_eq!(limits_of(method.nsid).is_some(), method.limits.is_some());
        }
        assert!(limits_of("com.atproto.sync.nothing").is_none());
    }
}
