//! What each reader gets from procedures.

use super::rule::{ALWAYS, Cells, Fresh, NO_SERVICE, OK, Rule};

const NO_TOKEN: Cells = ["401 AuthMissing"; 5];
const WRONG_TOKEN: Cells = ["400 InvalidToken"; 5];
const NO_PASSWORD: Cells = ["401 AuthenticationRequired"; 5];

pub(super) const PROCEDURES: &[Rule] = &[
    // Only an active account writes.
    Rule {
        methods: &[
            "com.atproto.repo.applyWrites",
            "com.atproto.repo.createRecord",
            "com.atproto.repo.deleteRecord",
            "com.atproto.repo.putRecord",
        ],
        fresh: Fresh::Never,
        anonymous: NO_TOKEN,
        owner: [OK, "401 AccountDeactivated", "403 AccountSuspended", "401 AccountTakedown", "400 AccountNotFound"],
        administrator: WRONG_TOKEN,
    },
    // One that moves here brings its data before it is active.
    Rule {
        methods: &["com.atproto.repo.importRepo", "com.atproto.repo.uploadBlob"],
        fresh: Fresh::Never,
        anonymous: NO_TOKEN,
        owner: [OK, OK, "403 AccountSuspended", "401 AccountTakedown", "400 AccountNotFound"],
        administrator: WRONG_TOKEN,
    },
    // The owner's own affairs.
    Rule {
        methods: &[
            "app.bsky.actor.putPreferences",
            "app.bsky.notification.registerPush",
            "app.bsky.notification.unregisterPush",
            "com.atproto.identity.submitPlcOperation",
            "com.atproto.identity.updateHandle",
            "com.atproto.server.createAppPassword",
            "com.atproto.server.requestAccountDelete",
            "com.atproto.server.requestEmailConfirmation",
            "com.atproto.server.requestEmailUpdate",
            "com.atproto.server.revokeAppPassword",
            "com.atproto.server.updateEmail",
            "dev.auroralocus.account.createAppPassword",
        ],
        fresh: Fresh::Never,
        anonymous: NO_TOKEN,
        owner: [OK, OK, OK, "401 AccountTakedown", "400 AccountNotFound"],
        administrator: WRONG_TOKEN,
    },
    // One of its sessions that is not there.
    Rule {
        methods: &["dev.auroralocus.server.revokeSession"],
        fresh: Fresh::Never,
        anonymous: NO_TOKEN,
        owner: [
            "400 SessionNotFound",
            "400 SessionNotFound",
            "400 SessionNotFound",
            "401 AccountTakedown",
            "400 AccountNotFound",
        ],
        administrator: WRONG_TOKEN,
    },
    Rule {
        methods: &["com.atproto.server.activateAccount", "com.atproto.server.confirmEmail"],
        fresh: Fresh::EachState,
        anonymous: NO_TOKEN,
        owner: [OK, OK, OK, "401 AccountTakedown", "400 AccountNotFound"],
        administrator: WRONG_TOKEN,
    },
    // Whoever was taken down may leave, and appeal.
    Rule {
        methods: &[
            "com.atproto.identity.requestPlcOperationSignature",
            "com.atproto.identity.signPlcOperation",
            "com.atproto.moderation.createReport",
        ],
        fresh: Fresh::Never,
        anonymous: NO_TOKEN,
        owner: [OK, OK, OK, OK, "400 AccountNotFound"],
        administrator: WRONG_TOKEN,
    },
    Rule {
        methods: &["com.atproto.server.deactivateAccount"],
        fresh: Fresh::EachState,
        anonymous: NO_TOKEN,
        owner: [OK, OK, OK, OK, "400 AccountNotFound"],
        administrator: WRONG_TOKEN,
    },
    // With a refresh token. Logging out never fails.
    Rule {
        methods: &["com.atproto.server.deleteSession"],
        fresh: Fresh::EachState,
        anonymous: NO_TOKEN,
        owner: ALWAYS,
        administrator: WRONG_TOKEN,
    },
    Rule {
        methods: &["com.atproto.server.refreshSession"],
        fresh: Fresh::EachState,
        anonymous: NO_TOKEN,
        owner: [OK, OK, OK, "401 AccountTakedown", "400 InvalidRequest"],
        administrator: WRONG_TOKEN,
    },
    // With the password, or a mailed code; who sends them does not matter.
    Rule::same(
        &"com.atproto.server.createSession",
        Fresh::Never,
        [OK, OK, OK, "401 AccountTakedown", "401 AuthenticationRequired"],
    ),
    Rule::same(&"com.atproto.server.deleteAccount", Fresh::EachReader, [OK, OK, OK, OK, "400 InvalidRequest"]),
    Rule::same(&"com.atproto.server.resetPassword", Fresh::EachReader, [OK, OK, OK, OK, "400 InvalidToken"]),
    // Says nothing about whether there is such an account.
    Rule::same(&"com.atproto.server.requestPasswordReset", Fresh::Never, ALWAYS),
    // The directory has the document whatever the account's state here.
    Rule::same(&"com.atproto.identity.refreshIdentity", Fresh::Never, ALWAYS),
    // The administrator changes accounts in every state in which they are there.
    Rule {
        methods: &["com.atproto.admin.updateAccountHandle", "dev.auroralocus.admin.setQuota"],
        fresh: Fresh::Never,
        anonymous: NO_PASSWORD,
        owner: NO_PASSWORD,
        administrator: [OK, OK, OK, OK, "400 NotFound"],
    },
    Rule {
        methods: &["com.atproto.admin.updateAccountEmail"],
        fresh: Fresh::Never,
        anonymous: NO_PASSWORD,
        owner: NO_PASSWORD,
        administrator: [OK, OK, OK, OK, "400 InvalidRequest"],
    },
    // The moderation service does, too, with a token of another type than the owner's.
    Rule {
        methods: &["com.atproto.admin.disableAccountInvites", "com.atproto.admin.enableAccountInvites"],
        fresh: Fresh::Never,
        anonymous: NO_PASSWORD,
        owner: NO_SERVICE,
        administrator: [OK, OK, OK, OK, "400 NotFound"],
    },
    Rule {
        methods: &["com.atproto.admin.sendEmail"],
        fresh: Fresh::Never,
        anonymous: NO_PASSWORD,
        owner: NO_SERVICE,
        administrator: [OK, OK, OK, OK, "400 InvalidRequest"],
    },
    // Of accounts whose owners have deleted them.
    Rule {
        methods: &["dev.auroralocus.admin.restoreAccount"],
        fresh: Fresh::EachState,
        anonymous: NO_PASSWORD,
        owner: NO_PASSWORD,
        administrator: ["400 NotFound", "400 NotFound", "400 NotFound", "400 NotFound", OK],
    },
    Rule {
        methods: &[
            "com.atproto.admin.deleteAccount",
            "com.atproto.admin.updateAccountPassword",
            "com.atproto.admin.updateAccountSigningKey",
            "dev.auroralocus.admin.revokeSessions",
        ],
        fresh: Fresh::EachState,
        anonymous: NO_PASSWORD,
        owner: NO_PASSWORD,
        administrator: [OK, OK, OK, OK, "400 NotFound"],
    },
    Rule {
        methods: &[
            "com.atproto.admin.updateSubjectStatus",
            "dev.auroralocus.admin.suspendAccount",
            "dev.auroralocus.admin.unsuspendAccount",
        ],
        fresh: Fresh::EachState,
        anonymous: NO_PASSWORD,
        owner: NO_SERVICE,
        administrator: [OK, OK, OK, OK, "400 NotFound"],
    },
    Rule {
        methods: &["com.atproto.temp.revokeAccountCredentials"],
        fresh: Fresh::EachState,
        anonymous: NO_PASSWORD,
        owner: NO_SERVICE,
        administrator: [OK, OK, OK, OK, "400 InvalidRequest"],
    },
];
