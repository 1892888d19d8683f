//! What each reader gets from queries.

use super::rule::{ALWAYS, Fresh, NO_SERVICE, OK, Rule, STATES};

pub(super) const QUERIES: &[Rule] = &[
    // Contents of a repository as other servers read them.
    Rule {
        methods: &[
            "com.atproto.sync.getBlob",
            "com.atproto.sync.getBlocks",
            "com.atproto.sync.getCheckout",
            "com.atproto.sync.getHead",
            "com.atproto.sync.getLatestCommit",
            "com.atproto.sync.getRecord",
            "com.atproto.sync.getRepo",
            "com.atproto.sync.listBlobs",
            "dev.auroralocus.blob.getMetadata",
        ],
        fresh: Fresh::Never,
        anonymous: [OK, "400 RepoDeactivated", "400 RepoSuspended", "400 RepoTakendown", "400 RepoNotFound"],
        owner: [OK, OK, OK, OK, "400 AccountNotFound"],
        administrator: [OK, OK, OK, OK, "400 RepoNotFound"],
    },
    Rule {
        methods: &["com.atproto.sync.getRepoStatus"],
        fresh: Fresh::Never,
        anonymous: [OK, OK, OK, OK, "400 RepoNotFound"],
        owner: [OK, OK, OK, OK, "400 RepoNotFound"],
        administrator: [OK, OK, OK, OK, "400 RepoNotFound"],
    },
    // Contents as apps read them: in the state of the account alone, whoever asks.
    Rule {
        methods: &["com.atproto.repo.describeRepo"],
        fresh: Fresh::Never,
        anonymous: [OK, "400 RepoDeactivated", "400 RepoSuspended", "400 RepoTakendown", "400 RepoNotFound"],
        owner: [OK, "400 RepoDeactivated", "400 RepoSuspended", "400 RepoTakendown", "400 RepoNotFound"],
        administrator: [OK, "400 RepoDeactivated", "400 RepoSuspended", "400 RepoTakendown", "400 RepoNotFound"],
    },
    Rule {
        methods: &["com.atproto.repo.getRecord"],
        fresh: Fresh::Never,
        anonymous: [OK, "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound"],
        owner: [OK, "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound"],
        administrator: [OK, "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound"],
    },
    Rule {
        methods: &["com.atproto.repo.listRecords"],
        fresh: Fresh::Never,
        anonymous: [OK, "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest"],
        owner: [OK, "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest"],
        administrator: [OK, "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest"],
    },
    // The directory has the document whatever the account's state here.
    Rule {
        methods: &["com.atproto.identity.resolveDid", "com.atproto.identity.resolveIdentity"],
        fresh: Fresh::Never,
        anonymous: [OK, OK, OK, OK, OK],
        owner: [OK, OK, OK, OK, OK],
        administrator: [OK, OK, OK, OK, OK],
    },
    Rule {
        methods: &["com.atproto.identity.resolveHandle"],
        fresh: Fresh::Never,
        anonymous: [OK, "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound"],
        owner: [OK, "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound"],
        administrator: [OK, "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound"],
    },
    // The owner's own affairs.
    Rule {
        methods: &[
            "com.atproto.identity.getRecommendedDidCredentials",
            "com.atproto.repo.listMissingBlobs",
            "com.atproto.server.checkAccountStatus",
            "com.atproto.server.getAccountInviteCodes",
            "com.atproto.server.getSession",
            "com.atproto.server.listAppPasswords",
            "dev.auroralocus.server.listSessions",
        ],
        fresh: Fresh::Never,
        anonymous: ["401 AuthMissing"; STATES.len()],
        owner: [OK, OK, OK, "401 AccountTakedown", "400 AccountNotFound"],
        administrator: ["400 InvalidToken"; STATES.len()],
    },
    // Asked of the app view for the account.
    Rule {
        methods: &[
            "app.bsky.actor.getProfile",
            "app.bsky.actor.getProfiles",
            "app.bsky.feed.getActorLikes",
            "app.bsky.feed.getAuthorFeed",
            "app.bsky.feed.getFeed",
            "app.bsky.feed.getTimeline",
            "com.atproto.temp.checkSignupQueue",
        ],
        fresh: Fresh::Never,
        anonymous: ["401 AuthMissing"; STATES.len()],
        owner: [OK, OK, OK, "401 AccountTakedown", "400 AccountNotFound"],
        administrator: ["400 InvalidToken"; STATES.len()],
    },
    // Of a post that the app view has not seen.
    Rule {
        methods: &["app.bsky.feed.getPostThread"],
        fresh: Fresh::Never,
        anonymous: ["401 AuthMissing"; STATES.len()],
        owner: ["400 NotFound", "400 NotFound", "400 NotFound", "401 AccountTakedown", "400 AccountNotFound"],
        administrator: ["400 InvalidToken"; STATES.len()],
    },
    // Whoever was taken down may leave with it.
    Rule {
        methods: &[
            "app.bsky.actor.getPreferences",
            "com.atproto.server.getServiceAuth",
            "dev.auroralocus.account.getExport",
        ],
        fresh: Fresh::Never,
        anonymous: ["401 AuthMissing"; STATES.len()],
        owner: [OK, OK, OK, OK, "400 AccountNotFound"],
        administrator: ["400 InvalidToken"; STATES.len()],
    },
    // The administrator sees accounts in every state in which they are there.
    Rule {
        methods: &["dev.auroralocus.admin.getExport", "dev.auroralocus.admin.listSessions"],
        fresh: Fresh::Never,
        anonymous: ["401 AuthenticationRequired"; STATES.len()],
        owner: ["401 AuthenticationRequired"; STATES.len()],
        administrator: [OK, OK, OK, OK, "400 NotFound"],
    },
    // The moderation service does, too.
    Rule {
        methods: &[
            "com.atproto.admin.getAccountInfo",
            "com.atproto.admin.getSubjectStatus",
            "dev.auroralocus.admin.getAccount",
        ],
        fresh: Fresh::Never,
        anonymous: ["401 AuthenticationRequired"; STATES.len()],
        owner: NO_SERVICE,
        administrator: [OK, OK, OK, OK, "400 NotFound"],
    },
    // Of those that are there.
    Rule {
        methods: &["com.atproto.admin.getAccountInfos"],
        fresh: Fresh::Never,
        anonymous: ["401 AuthenticationRequired"; STATES.len()],
        owner: NO_SERVICE,
        administrator: ALWAYS,
    },
];
