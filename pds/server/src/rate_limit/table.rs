//! The limits of single methods, the reference's. Source: `@atproto/pds` 0.5.35.

use std::time::Duration;

use pds_limiter::{Charge, Limit};

use super::principal::Principal;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Requests of one address to all methods that have limits of their own.
pub(super) const ADDRESS: Limit = Limit::bucket("address", 3000, FIVE_MINUTES);

/// Logins as one account from one address.
pub const LOGINS: [Limit; 2] =
    [Limit::log("create-session", 30, FIVE_MINUTES), Limit::log("create-session-day", 300, DAY)];

/// Login attempts on one account from all addresses without a successful login before. The owner's addresses are not limited by it.
pub const GUESSES: [Limit; 2] = [Limit::log("login-guesses", 50, HOUR), Limit::log("login-guesses-day", 200, DAY)];

/// Refreshes of the sessions of one account. Each leaves a token that stays good for two hours.
pub const REFRESHES: [Limit; 1] = [Limit::bucket("refresh-session", 300, HOUR)];

/// Codes that are mailed to one account because its password was right. The reference has no such limit.
pub const SIGN_IN_CODES: [Limit; 2] = [Limit::log("sign-in-code", 10, HOUR), Limit::log("sign-in-code-day", 50, DAY)];
/// Codes that are mailed to one account because somebody knows its address. The reference has no such limit.
pub const PASSWORD_RESETS: [Limit; 2] =
    [Limit::log("password-reset", 5, HOUR), Limit::log("password-reset-day", 15, DAY)];

/// Points of writes to one repository.
pub const WRITES: [Limit; 2] =
    [Limit::window("repo-write-hour", 5000, HOUR), Limit::window("repo-write-day", 35_000, DAY)];

/// Uploads of one account that no record waits for. The reference counts by address, which people who move may share with others.
pub const UPLOADS: [Limit; 1] = [Limit::bucket("upload-blob", 1000, DAY)];

/// Lexicons that are looked up for the records of one account. Each takes requests to servers that strangers name.
pub const LEXICONS: [Limit; 1] = [Limit::bucket("lexicon", 100, HOUR)];
/// Lexicons that are not known and are looked up for one address. Each takes requests to servers that strangers name, and up to 128 KiB in the
/// database. People may share an address, so it has more than an account.
pub const UNKNOWN_LEXICONS: [Limit; 1] = [Limit::bucket("unknown-lexicon", 300, HOUR)];

/// Points of a write.
pub mod cost {
    /// A new record.
    pub const CREATE: u32 = 3;
    /// A changed record.
    pub const UPDATE: u32 = 2;
    /// A deleted record.
    pub const DELETE: u32 = 1;

    /// Bytes of an event that one point pays for.
    const EVENT_BYTES: usize = 16 << 10;

    /// References to blobs, added or removed, that one point pays for. Posts with pictures have a few.
    const REFERENCES: usize = 20;

    /// Points of the references to blobs that a commit adds and removes, beyond the points that its writes have cost. Each is a row.
    pub fn of_references(count: usize, paid: u32) -> u32 {
        u32::try_from(count / REFERENCES).unwrap_or(u32::MAX).saturating_sub(paid)
    }

    /// Points of an event of this size beyond the points that its writes have cost. An event has all nodes of the tree that changed: whoever picks
    /// record keys that belong into one node makes each write an event of a megabyte, which is stored and sent to every subscriber.
    pub fn of_event(bytes: usize, paid: u32) -> u32 {
        u32::try_from(bytes / EVENT_BYTES).unwrap_or(u32::MAX).saturating_sub(paid)
    }
}

/// Whose budget a method is charged to.
#[derive(Clone, Copy, Debug)]
enum By {
    Address,
    Account,
    Nobody,
}

/// The limits of a method.
#[derive(Clone, Copy, Debug)]
pub struct MethodLimits {
    by: By,
    limits: &'static [Limit],
    /// Points of one call.
    cost: u32,
    /// They replace [`ADDRESS`] instead of counting beside it.
    alone: bool,
}

impl MethodLimits {
    /// `createAccount`.
    pub const SIGN_UPS: Self = Self::own(By::Address, &SIGN_UPS, 1);
    /// `requestEmailConfirmation`.
    pub const CONFIRMATIONS: Self = Self::own(By::Account, &CONFIRMATIONS, 1);
    /// `requestPlcOperationSignature`.
    pub const SIGNATURES: Self = Self::own(By::Account, &SIGNATURES, 1);
    /// `requestEmailUpdate`.
    pub const EMAIL_UPDATES: Self = Self::own(By::Account, &EMAIL_UPDATES, 1);
    /// `updateEmail`. Each change tells the former address, if it was confirmed.
    pub const EMAIL_CHANGES: Self = Self::own(By::Account, &EMAIL_CHANGES, 1);
    /// `requestAccountDelete`.
    pub const DELETION_REQUESTS: Self = Self::own(By::Account, &DELETION_REQUESTS, 1);
    /// `requestPasswordReset`.
    pub const RESET_REQUESTS: Self = Self::own(By::Address, &RESET_REQUESTS, 1);
    /// `resetPassword`.
    pub const RESETS: Self = Self::own(By::Address, &RESETS, 1);
    /// `deleteAccount`.
    pub const DELETIONS: Self = Self::own(By::Address, &DELETIONS, 1);
    /// `putPreferences`.
    pub const PREFERENCES: Self = Self::own(By::Account, &PREFERENCES, 1);
    /// `updateHandle`.
    pub const HANDLES: Self = Self::own(By::Account, &HANDLES, 1);
    /// `reserveSigningKey`.
    pub const KEYS: Self = Self::own(By::Address, &KEYS, 1);
    /// `refreshIdentity`.
    pub const REFRESHED_IDENTITIES: Self = Self::own(By::Address, &REFRESHED_IDENTITIES, 1);
    /// Methods that ask the PLC directory about the caller's own account.
    pub const OWN_IDENTITY: Self = Self::own(By::Account, &OWN_IDENTITY, 1);
    /// `createReport`.
    pub const REPORTS: Self = Self::own(By::Account, &REPORTS, 1);
    /// `importRepo`.
    pub const IMPORTS: Self = Self::own(By::Account, &IMPORTS, 1);
    /// `getRepo`.
    pub const EXPORTS: Self = Self { alone: true, ..Self::own(By::Address, &EXPORTS, 1) };
    /// `getExport`, which sends all blobs too.
    pub const WHOLE_EXPORTS: Self = Self::own(By::Account, &WHOLE_EXPORTS, 1);
    /// Counts requests of one address in the wide limit alone, which leaves room for clients that read much. The handler may charge what only the
    /// body shows.
    pub const WIDE: Self = Self::own(By::Nobody, &[], 0);

    /// A write of this cost to the caller's repository.
    pub const fn writes(cost: u32) -> Self {
        Self::own(By::Account, &WRITES, cost)
    }

    const fn own(by: By, limits: &'static [Limit], cost: u32) -> Self {
        Self { by, limits, cost, alone: false }
    }

    /// What a request of this caller to the method is charged beside its tier.
    pub(super) fn charges<'a>(&self, principal: &'a Principal, address: &'a str) -> impl Iterator<Item = Charge<'a>> {
        let subject = match (self.by, principal) {
            (By::Address, _) => Some(address),
            (By::Account, Principal::Account(did)) => Some(did.as_str()),
            _ => None,
        };
        let (limits, cost) = (self.limits, self.cost);
        subject.into_iter().flat_map(move |subject| limits.iter().map(move |limit| Charge { limit, subject, cost }))
    }

    /// The limit of requests of one address, unless the method has none beside its own.
    pub(super) fn address(&self) -> Option<&'static Limit> {
        (!self.alone).then_some(&ADDRESS)
    }
}

const SIGN_UPS: [Limit; 1] = [Limit::log("create-account", 100, FIVE_MINUTES)];
const CONFIRMATIONS: [Limit; 2] =
    [Limit::log("request-email-confirmation", 5, HOUR), Limit::log("request-email-confirmation-day", 15, DAY)];
const SIGNATURES: [Limit; 2] =
    [Limit::log("request-plc-signature", 5, HOUR), Limit::log("request-plc-signature-day", 15, DAY)];
const EMAIL_UPDATES: [Limit; 2] =
    [Limit::log("request-email-update", 5, HOUR), Limit::log("request-email-update-day", 15, DAY)];
/// The reference has no such limit.
const EMAIL_CHANGES: [Limit; 2] = [Limit::log("update-email", 20, HOUR), Limit::log("update-email-day", 50, DAY)];
const DELETION_REQUESTS: [Limit; 2] =
    [Limit::log("request-account-delete", 5, HOUR), Limit::log("request-account-delete-day", 15, DAY)];
const RESET_REQUESTS: [Limit; 2] =
    [Limit::log("request-password-reset", 15, HOUR), Limit::log("request-password-reset-day", 50, DAY)];
const RESETS: [Limit; 1] = [Limit::log("reset-password", 50, FIVE_MINUTES)];
const DELETIONS: [Limit; 1] = [Limit::log("delete-account", 50, FIVE_MINUTES)];
/// Each stores up to 150 KiB anew. Clients write when a person changes a setting.
const PREFERENCES: [Limit; 1] = [Limit::bucket("put-preferences", 100, FIVE_MINUTES)];
const HANDLES: [Limit; 2] =
    [Limit::bucket("update-handle", 10, FIVE_MINUTES), Limit::bucket("update-handle-day", 50, DAY)];
const KEYS: [Limit; 2] =
    [Limit::bucket("reserve-signing-key", 20, FIVE_MINUTES), Limit::bucket("reserve-signing-key-day", 100, DAY)];
const REFRESHED_IDENTITIES: [Limit; 1] = [Limit::bucket("refresh-identity", 100, FIVE_MINUTES)];
const OWN_IDENTITY: [Limit; 1] = [Limit::bucket("own-identity", 100, FIVE_MINUTES)];
/// Each is checked against its lexicon, signed for and handed to people. The reference has no such limit.
const REPORTS: [Limit; 1] = [Limit::bucket("create-report", 10, MINUTE)];
/// An import costs as much as thousands of other requests. A person who moves needs a few attempts at most.
const IMPORTS: [Limit; 2] =
    [Limit::bucket("import-repo", 10, FIVE_MINUTES), Limit::bucket("import-repo-day", 100, DAY)];
/// A person needs one, and a few attempts over a bad line.
const WHOLE_EXPORTS: [Limit; 2] =
    [Limit::bucket("export-account", 10, HOUR), Limit::bucket("export-account-day", 30, DAY)];
const EXPORTS: [Limit; 1] = [Limit::bucket("get-repo", 6000, FIVE_MINUTES)];
