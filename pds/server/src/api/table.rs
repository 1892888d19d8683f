//! Every method that this server answers: the credential that it asks for, its limits, its handler, and whether other services may be asked instead.
//! The lexicon says whether it is a query or a procedure. Methods that only other services answer are here if something about them is special.

// tidy: long because it is one row for each method, in one place

use axum::routing::{MethodFilter, MethodRouter, on};

use pds_config::NeedsEmail;
use pds_repo::Action::{self, Create, Delete, Update};

use super::{
    account, actor, admin, blob, feed, identity, lexicon, moderation, notification,
    permission::{AccountAction::Manage, Attribute, Permission},
    proxy::Policy,
    repo, server, sync, temp,
};
use crate::{
    app::App,
    auth::Requirement,
    rate_limit::{MethodLimits, cost},
    upstream::Kind,
};
use Requirement::{
    Account, AccountOrService, AccountOrTakendown, ActiveAccount, Admin, FullAccount, FullOrTakendown, Moderator,
    Nothing, OptionalService, Refresh, Viewer,
};

/// A method.
#[derive(Debug)]
pub struct Method {
    /// Its NSID.
    pub nsid: &'static str,
    /// The credential that it asks for.
    pub requirement: Requirement,
    /// The permission that an OAuth session needs.
    pub permission: Permission,
    /// Its limits, if it has some of its own.
    pub limits: Option<MethodLimits>,
    /// The size of its input.
    pub input: Input,
    /// Whether its output may be compressed.
    pub compressed: bool,
    /// The word of `PDS_REQUIRE_CONFIRMED_EMAIL` that makes it ask for a confirmed address, if one does.
    pub needs_email: Option<NeedsEmail>,
    /// Where it goes instead, and who may call it there.
    pub policy: Policy,
    /// Its handler, for a verb.
    pub handler: fn(MethodFilter) -> MethodRouter<App>,
}

/// A method that only other services answer.
#[derive(Debug)]
pub struct ForeignMethod {
    /// Its NSID.
    pub nsid: &'static str,
    /// Where it goes, and who may call it.
    pub policy: Policy,
}

/// Maximum size of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// 32 KiB: a few fields.
    Short,
    /// 150 KiB: no records.
    Small,
    /// 1 MiB: records.
    Records,
    /// The handler limits it while it streams.
    Stream,
}

impl Method {
    const fn new(nsid: &'static str, requirement: Requirement, handler: fn(MethodFilter) -> MethodRouter<App>) -> Self {
        // Of what an app may do with an account, nothing goes without saying.
        let permission = if requirement.is_of_account() { Permission::Refused } else { Permission::NotAsked };
        Self {
            nsid,
            requirement,
            permission,
            limits: None,
            input: Input::Small,
            compressed: true,
            needs_email: None,
            policy: Policy::OTHERS,
            handler,
        }
    }

    const fn oauth(self, permission: Permission) -> Self {
        Self { permission, ..self }
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

    const fn short(self) -> Self {
        Self { input: Input::Short, ..self }
    }

    const fn stream(self) -> Self {
        Self { input: Input::Stream, ..self }
    }

    /// It manages an account: other services get neither the request nor a token for it.
    const fn protected(self) -> Self {
        Self { policy: Policy { is_protected: true, ..self.policy }, ..self }
    }

    /// Sessions with app passwords need a privilege to get a token for it.
    const fn privileged(self) -> Self {
        Self { policy: Policy { is_privileged: true, ..self.policy }, ..self }
    }

    /// It is handed on to this service, unless the client names one.
    const fn to(self, service: Kind) -> Self {
        Self { policy: Policy { service, ..self.policy }, ..self }
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

/// Where the method with this NSID goes and who may call it there, in whatever case the NSID is written.
pub fn policy(nsid: &str) -> Policy {
    let own = METHODS.iter().find(|method| method.nsid.eq_ignore_ascii_case(nsid)).map(|method| method.policy);
    let foreign = || FOREIGN.iter().find(|method| method.nsid.eq_ignore_ascii_case(nsid)).map(|method| method.policy);
    own.or_else(foreign).unwrap_or(Policy::OTHERS)
}

const ALL_ACTIONS: &[Action] = &[Create, Update, Delete];

/// In the order of their NSIDs.
pub const METHODS: &[Method] = &[
    Method::new("app.bsky.actor.getPreferences", AccountOrTakendown, |verb| on(verb, actor::get_preferences))
        .oauth(Permission::Calls),
    Method::new("app.bsky.actor.getProfile", Account, |verb| on(verb, actor::get_profile)).oauth(Permission::Calls),
    Method::new("app.bsky.actor.getProfiles", Account, |verb| on(verb, actor::get_profiles)).oauth(Permission::Calls),
    Method::new("app.bsky.actor.putPreferences", Account, |verb| on(verb, actor::put_preferences))
        .limits(MethodLimits::PREFERENCES)
        .oauth(Permission::Calls),
    Method::new("app.bsky.feed.getActorLikes", Account, |verb| on(verb, feed::get_actor_likes))
        .oauth(Permission::Calls),
    Method::new("app.bsky.feed.getAuthorFeed", Account, |verb| on(verb, feed::get_author_feed))
        .oauth(Permission::Calls),
    Method::new("app.bsky.feed.getFeed", Account, |verb| on(verb, feed::get_feed)).oauth(Permission::Calls),
    Method::new("app.bsky.feed.getPostThread", Account, |verb| on(verb, feed::get_post_thread))
        .oauth(Permission::Calls),
    Method::new("app.bsky.feed.getTimeline", Account, |verb| on(verb, feed::get_timeline)).oauth(Permission::Calls),
    Method::new("app.bsky.notification.registerPush", Account, |verb| on(verb, notification::register_push))
        .oauth(Permission::Calls),
    Method::new("app.bsky.notification.unregisterPush", Account, |verb| on(verb, notification::unregister_push))
        .oauth(Permission::Calls),
    Method::new("com.atproto.admin.deleteAccount", Admin, |verb| on(verb, admin::delete_account)),
    Method::new("com.atproto.admin.disableAccountInvites", Moderator, |verb| on(verb, admin::disable_account_invites)),
    Method::new("com.atproto.admin.disableInviteCodes", Moderator, |verb| on(verb, admin::disable_invite_codes)),
    Method::new("com.atproto.admin.enableAccountInvites", Moderator, |verb| on(verb, admin::enable_account_invites)),
    Method::new("com.atproto.admin.getAccountInfo", Moderator, |verb| on(verb, admin::get_account_info)),
    Method::new("com.atproto.admin.getAccountInfos", Moderator, |verb| on(verb, admin::get_account_infos)),
    Method::new("com.atproto.admin.getInviteCodes", Moderator, |verb| on(verb, admin::get_invite_codes)),
    Method::new("com.atproto.admin.getSubjectStatus", Moderator, |verb| on(verb, admin::get_subject_status)),
    Method::new("com.atproto.admin.searchAccounts", Moderator, |verb| on(verb, admin::search_accounts)),
    Method::new("com.atproto.admin.sendEmail", Moderator, |verb| on(verb, admin::send_email)).protected(),
    Method::new("com.atproto.admin.updateAccountEmail", Admin, |verb| on(verb, admin::update_account_email)),
    Method::new("com.atproto.admin.updateAccountHandle", Admin, |verb| on(verb, admin::update_account_handle)),
    Method::new("com.atproto.admin.updateAccountPassword", Admin, |verb| on(verb, admin::update_account_password)),
    Method::new("com.atproto.admin.updateAccountSigningKey", Admin, |verb| on(verb, admin::update_account_signing_key)),
    Method::new("com.atproto.admin.updateSubjectStatus", Moderator, |verb| on(verb, admin::update_subject_status)),
    Method::new("com.atproto.identity.getRecommendedDidCredentials", Account, |verb| {
        on(verb, identity::get_recommended_did_credentials)
    })
    .oauth(Permission::AnySession),
    Method::new("com.atproto.identity.refreshIdentity", Nothing, |verb| on(verb, identity::refresh_identity))
        .limits(MethodLimits::REFRESHED_IDENTITIES),
    Method::new("com.atproto.identity.requestPlcOperationSignature", FullOrTakendown, |verb| {
        on(verb, identity::request_plc_operation_signature)
    })
    .oauth(Permission::Identity)
    .limits(MethodLimits::SIGNATURES)
    .protected(),
    Method::new("com.atproto.identity.resolveDid", Nothing, |verb| on(verb, identity::resolve_did)),
    Method::new("com.atproto.identity.resolveHandle", Nothing, |verb| on(verb, identity::resolve_handle)),
    Method::new("com.atproto.identity.resolveIdentity", Nothing, |verb| on(verb, identity::resolve_identity)),
    Method::new("com.atproto.identity.signPlcOperation", FullOrTakendown, |verb| {
        on(verb, identity::sign_plc_operation)
    })
    .oauth(Permission::Identity)
    .limits(MethodLimits::OWN_IDENTITY)
    .protected(),
    Method::new("com.atproto.identity.submitPlcOperation", Account, |verb| on(verb, identity::submit_plc_operation))
        .oauth(Permission::Identity)
        .limits(MethodLimits::OWN_IDENTITY),
    Method::new("com.atproto.identity.updateHandle", Account, |verb| on(verb, identity::update_handle))
        .oauth(Permission::Handle)
        .limits(MethodLimits::HANDLES)
        .protected(),
    Method::new("com.atproto.lexicon.resolveLexicon", Nothing, |verb| on(verb, lexicon::resolve_lexicon)),
    Method::new("com.atproto.moderation.createReport", AccountOrTakendown, |verb| on(verb, moderation::create_report))
        .oauth(Permission::Calls)
        .limits(MethodLimits::REPORTS)
        .short()
        .to(Kind::Report),
    Method::new("com.atproto.repo.applyWrites", ActiveAccount, |verb| on(verb, repo::apply_writes))
        .oauth(Permission::Records(ALL_ACTIONS))
        .limits(MethodLimits::WIDE)
        .records()
        .confirmed(NeedsEmail::Post),
    Method::new("com.atproto.repo.createRecord", ActiveAccount, |verb| on(verb, repo::create_record))
        .oauth(Permission::Records(&[Create]))
        .limits(MethodLimits::writes(cost::CREATE))
        .records()
        .confirmed(NeedsEmail::Post),
    Method::new("com.atproto.repo.deleteRecord", ActiveAccount, |verb| on(verb, repo::delete_record))
        .oauth(Permission::Records(&[Delete]))
        .limits(MethodLimits::writes(cost::DELETE)),
    Method::new("com.atproto.repo.describeRepo", Nothing, |verb| on(verb, repo::describe_repo)),
    Method::new("com.atproto.repo.getRecord", Nothing, |verb| on(verb, repo::get_record)),
    // A deactivated account may be one that is moving here: its records and blobs come before its activation.
    Method::new("com.atproto.repo.importRepo", FullAccount, |verb| on(verb, repo::import_repo))
        .oauth(Permission::Account { attribute: Attribute::Repo, action: Manage })
        .limits(MethodLimits::IMPORTS)
        .stream(),
    Method::new("com.atproto.repo.listMissingBlobs", Account, |verb| on(verb, repo::list_missing_blobs))
        .oauth(Permission::AnySession),
    Method::new("com.atproto.repo.listRecords", Nothing, |verb| on(verb, repo::list_records)),
    Method::new("com.atproto.repo.putRecord", ActiveAccount, |verb| on(verb, repo::put_record))
        .oauth(Permission::Records(&[Create, Update]))
        .limits(MethodLimits::writes(cost::UPDATE))
        .records()
        .confirmed(NeedsEmail::Post),
    Method::new("com.atproto.repo.uploadBlob", AccountOrService, |verb| on(verb, repo::upload_blob))
        .oauth(Permission::Upload)
        .limits(MethodLimits::WIDE)
        .stream()
        .confirmed(NeedsEmail::Upload),
    Method::new("com.atproto.server.activateAccount", FullAccount, |verb| on(verb, server::activate_account))
        .limits(MethodLimits::OWN_IDENTITY)
        .protected(),
    Method::new("com.atproto.server.checkAccountStatus", Account, |verb| on(verb, server::check_account_status))
        .oauth(Permission::AnySession)
        .limits(MethodLimits::OWN_IDENTITY),
    Method::new("com.atproto.server.confirmEmail", Account, |verb| on(verb, server::confirm_email))
        .oauth(Permission::Account { attribute: Attribute::Email, action: Manage })
        .protected(),
    Method::new("com.atproto.server.createAccount", OptionalService, |verb| on(verb, server::create_account))
        .limits(MethodLimits::SIGN_UPS)
        .privileged(),
    Method::new("com.atproto.server.createAppPassword", FullAccount, |verb| on(verb, server::create_app_password))
        .protected(),
    Method::new("com.atproto.server.createInviteCode", Admin, |verb| on(verb, server::create_invite_code)),
    Method::new("com.atproto.server.createInviteCodes", Admin, |verb| on(verb, server::create_invite_codes)),
    Method::new("com.atproto.server.createSession", Nothing, |verb| on(verb, server::create_session))
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.server.deactivateAccount", FullOrTakendown, |verb| on(verb, server::deactivate_account))
        .oauth(Permission::Account { attribute: Attribute::Status, action: Manage })
        .limits(MethodLimits::OWN_IDENTITY)
        .protected(),
    Method::new("com.atproto.server.deleteAccount", Nothing, |verb| on(verb, server::delete_account))
        .limits(MethodLimits::DELETIONS),
    Method::new("com.atproto.server.deleteSession", Refresh, |verb| on(verb, server::delete_session)),
    Method::new("com.atproto.server.describeServer", Nothing, |verb| on(verb, server::describe_server)),
    Method::new("com.atproto.server.getAccountInviteCodes", FullAccount, |verb| {
        on(verb, server::get_account_invite_codes)
    })
    .confirmed(NeedsEmail::Invite)
    .protected(),
    Method::new("com.atproto.server.getServiceAuth", AccountOrTakendown, |verb| on(verb, server::get_service_auth))
        .oauth(Permission::Calls),
    Method::new("com.atproto.server.getSession", Account, |verb| on(verb, server::get_session))
        .oauth(Permission::AnySession)
        .protected(),
    Method::new("com.atproto.server.listAppPasswords", FullAccount, |verb| on(verb, server::list_app_passwords))
        .protected(),
    Method::new("com.atproto.server.refreshSession", Refresh, |verb| on(verb, server::refresh_session))
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.server.requestAccountDelete", FullAccount, |verb| {
        on(verb, server::request_account_delete)
    })
    .limits(MethodLimits::DELETION_REQUESTS)
    .protected(),
    Method::new("com.atproto.server.requestEmailConfirmation", Account, |verb| {
        on(verb, server::request_email_confirmation)
    })
    .oauth(Permission::Account { attribute: Attribute::Email, action: Manage })
    .limits(MethodLimits::CONFIRMATIONS)
    .protected(),
    Method::new("com.atproto.server.requestEmailUpdate", FullAccount, |verb| on(verb, server::request_email_update))
        .limits(MethodLimits::EMAIL_UPDATES)
        .protected(),
    Method::new("com.atproto.server.requestPasswordReset", Nothing, |verb| on(verb, server::request_password_reset))
        .limits(MethodLimits::RESET_REQUESTS),
    Method::new("com.atproto.server.reserveSigningKey", Nothing, |verb| on(verb, server::reserve_signing_key))
        .limits(MethodLimits::KEYS),
    Method::new("com.atproto.server.resetPassword", Nothing, |verb| on(verb, server::reset_password))
        .limits(MethodLimits::RESETS),
    Method::new("com.atproto.server.revokeAppPassword", FullAccount, |verb| on(verb, server::revoke_app_password))
        .protected(),
    Method::new("com.atproto.server.updateEmail", FullAccount, |verb| on(verb, server::update_email))
        .limits(MethodLimits::EMAIL_CHANGES)
        .protected(),
    Method::new("com.atproto.sync.getBlob", Viewer, |verb| on(verb, sync::get_blob))
        .oauth(Permission::AnySession)
        .limits(MethodLimits::WIDE)
        .uncompressed(),
    Method::new("com.atproto.sync.getBlocks", Viewer, |verb| on(verb, sync::get_blocks))
        .oauth(Permission::AnySession)
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.getCheckout", Viewer, |verb| on(verb, sync::get_checkout))
        .oauth(Permission::AnySession)
        .limits(MethodLimits::EXPORTS),
    Method::new("com.atproto.sync.getHead", Viewer, |verb| on(verb, sync::get_head))
        .oauth(Permission::AnySession)
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.getLatestCommit", Viewer, |verb| on(verb, sync::get_latest_commit))
        .oauth(Permission::AnySession)
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.getRecord", Viewer, |verb| on(verb, sync::get_record))
        .oauth(Permission::AnySession)
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.getRepo", Viewer, |verb| on(verb, sync::get_repo))
        .oauth(Permission::AnySession)
        .limits(MethodLimits::EXPORTS),
    Method::new("com.atproto.sync.getRepoStatus", Nothing, |verb| on(verb, sync::get_repo_status))
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.listBlobs", Viewer, |verb| on(verb, sync::list_blobs))
        .oauth(Permission::AnySession)
        .limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.listRepos", Nothing, |verb| on(verb, sync::list_repos)).limits(MethodLimits::WIDE),
    Method::new("com.atproto.sync.subscribeRepos", Nothing, |verb| on(verb, sync::subscribe_repos))
        .limits(MethodLimits::WIDE)
        .uncompressed(),
    Method::new("com.atproto.temp.addReservedHandle", Admin, |verb| on(verb, temp::add_reserved_handle)),
    Method::new("com.atproto.temp.checkHandleAvailability", Nothing, |verb| on(verb, temp::check_handle_availability)),
    Method::new("com.atproto.temp.checkSignupQueue", Account, |verb| on(verb, temp::check_signup_queue)),
    Method::new("com.atproto.temp.revokeAccountCredentials", Moderator, |verb| {
        on(verb, temp::revoke_account_credentials)
    }),
    Method::new("dev.auroralocus.account.createAppPassword", FullAccount, |verb| {
        on(verb, account::create_app_password)
    }),
    Method::new("dev.auroralocus.account.getExport", FullOrTakendown, |verb| on(verb, account::get_export))
        .limits(MethodLimits::WHOLE_EXPORTS)
        .uncompressed(),
    Method::new("dev.auroralocus.admin.createInviteCodes", Admin, |verb| on(verb, admin::create_invite_codes)),
    Method::new("dev.auroralocus.admin.getAccount", Moderator, |verb| on(verb, admin::get_account)),
    Method::new("dev.auroralocus.admin.getExport", Admin, |verb| on(verb, admin::get_export)).uncompressed(),
    Method::new("dev.auroralocus.admin.listInviteCodes", Moderator, |verb| on(verb, admin::list_invite_codes)),
    Method::new("dev.auroralocus.admin.listJobs", Admin, |verb| on(verb, admin::list_jobs)),
    Method::new("dev.auroralocus.admin.listSessions", Admin, |verb| on(verb, admin::list_sessions)),
    Method::new("dev.auroralocus.admin.restoreAccount", Admin, |verb| on(verb, admin::restore_account)),
    Method::new("dev.auroralocus.admin.revokeSessions", Admin, |verb| on(verb, admin::revoke_sessions)),
    Method::new("dev.auroralocus.admin.runJob", Admin, |verb| on(verb, admin::run_job)),
    Method::new("dev.auroralocus.admin.setQuota", Admin, |verb| on(verb, admin::set_quota)),
    Method::new("dev.auroralocus.admin.suspendAccount", Moderator, |verb| on(verb, admin::suspend_account)),
    Method::new("dev.auroralocus.admin.unsuspendAccount", Moderator, |verb| on(verb, admin::unsuspend_account)),
    Method::new("dev.auroralocus.blob.getMetadata", Viewer, |verb| on(verb, blob::get_metadata))
        .oauth(Permission::AnySession)
        .limits(MethodLimits::WIDE),
    Method::new("dev.auroralocus.server.listSessions", FullAccount, |verb| on(verb, server::list_sessions)),
    Method::new("dev.auroralocus.server.revokeSession", FullAccount, |verb| on(verb, server::revoke_session)),
];

/// Methods that only other services answer, and methods of this server's own that it does not have. In the order of their NSIDs.
pub const FOREIGN: &[ForeignMethod] = &[
    ForeignMethod::privileged("chat.bsky.actor.deleteAccount"),
    ForeignMethod::privileged("chat.bsky.actor.exportAccountData"),
    ForeignMethod::privileged("chat.bsky.convo.deleteMessageForSelf"),
    ForeignMethod::privileged("chat.bsky.convo.getConvo"),
    ForeignMethod::privileged("chat.bsky.convo.getConvoForMembers"),
    ForeignMethod::privileged("chat.bsky.convo.getLog"),
    ForeignMethod::privileged("chat.bsky.convo.getMessages"),
    ForeignMethod::privileged("chat.bsky.convo.leaveConvo"),
    ForeignMethod::privileged("chat.bsky.convo.listConvos"),
    ForeignMethod::privileged("chat.bsky.convo.muteConvo"),
    ForeignMethod::privileged("chat.bsky.convo.sendMessage"),
    ForeignMethod::privileged("chat.bsky.convo.sendMessageBatch"),
    ForeignMethod::privileged("chat.bsky.convo.unmuteConvo"),
    ForeignMethod::privileged("chat.bsky.convo.updateRead"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.communication.createTemplate"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.communication.deleteTemplate"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.communication.listTemplates"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.communication.updateTemplate"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.moderation.cancelScheduledActions"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.moderation.emitEvent"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.moderation.getAccountTimeline"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.moderation.getEvent"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.moderation.getRecord"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.moderation.getRepo"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.moderation.listScheduledActions"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.moderation.queryEvents"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.moderation.queryStatuses"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.moderation.scheduleAction"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.moderation.searchRepos"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.safelink.addRule"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.safelink.queryEvents"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.safelink.queryRules"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.safelink.removeRule"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.safelink.updateRule"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.team.addMember"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.team.deleteMember"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.team.listMembers"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.team.updateMember"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.verification.grantVerifications"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.verification.listVerifications"),
    ForeignMethod::to(Kind::Moderation, "tools.ozone.verification.revokeVerifications"),
];

impl ForeignMethod {
    const fn privileged(nsid: &'static str) -> Self {
        Self { nsid, policy: Policy { is_privileged: true, ..Policy::OTHERS } }
    }

    const fn to(service: Kind, nsid: &'static str) -> Self {
        Self { nsid, policy: Policy { service, ..Policy::OTHERS } }
    }
}

#[cfg(test)]
mod tests {
    use pds_lexicon::Catalog;

    use super::*;

    /// Whether there is a session behind a permission.
    #[test]
    fn permissions_fit_what_methods_ask_for() {
        for method in METHODS {
            let asks = method.requirement.is_of_account();
            assert_eq!(asks, method.permission != Permission::NotAsked, "{}", method.nsid);
        }
    }

    #[test]
    fn every_method_has_a_lexicon_and_is_found() {
        assert!(METHODS.is_sorted_by_key(|method| method.nsid));
        for method in METHODS {
            assert!(Catalog::bundled().method(method.nsid).is_some(), "{}", method.nsid);
            assert_eq!(limits_of(method.nsid).is_some(), method.limits.is_some());
        }
        assert!(limits_of("com.atproto.sync.nothing").is_none());
    }

    #[test]
    fn what_is_special_about_a_method_is_said_once() {
        assert!(FOREIGN.is_sorted_by_key(|method| method.nsid));
        for method in FOREIGN {
            assert!(!METHODS.iter().any(|own| own.nsid == method.nsid), "{} has two rows", method.nsid);
        }
    }

    /// As in `@atproto/pds` 0.5.35.
    #[test]
    fn other_services_get_what_the_reference_gives_them() {
        let all = || METHODS.iter().map(|method| method.policy).chain(FOREIGN.iter().map(|method| method.policy));
        assert_eq!(all().filter(|policy| policy.is_protected).count(), 16);
        assert_eq!(all().filter(|policy| policy.is_privileged).count(), 15);
        assert_eq!(all().filter(|policy| policy.service == Kind::Moderation).count(), 27);
        assert!(policy("COM.atproto.server.UPDATEemail").is_protected, "case does not matter");
        assert_eq!(policy("com.atproto.moderation.createReport").service, Kind::Report);
        assert_eq!(policy("app.bsky.feed.getPosts"), Policy::OTHERS);
    }
}
