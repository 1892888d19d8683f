//! The limits of single methods, the reference's. Source: `@atproto/pds` 0.5.35.

use std::time::Duration;

use pds_limiter::Limit;

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

/// Points of writes to one repository.
pub const WRITES: [Limit; 2] =
    [Limit::window("repo-write-hour", 5000, HOUR), Limit::window("repo-write-day", 35_000, DAY)];

/// Uploads of one account that no record waits for. The reference counts by address, which people who move may share with others.
pub const UPLOADS: [Limit; 1] = [Limit::bucket("upload-blob", 1000, DAY)];

/// Points of a write.
pub mod cost {
    /// A new record.
    pub const CREATE: u32 = 3;
    /// A changed record.
    pub const UPDATE: u32 = 2;
    /// A deleted record.
    pub const DELETE: u32 = 1;
}

const SIGN_UPS: [Limit; 1] = [Limit::log("create-account", 100, FIVE_MINUTES)];
const HANDLES: [Limit; 2] =
    [Limit::bucket("update-handle", 10, FIVE_MINUTES), Limit::bucket("update-handle-day", 50, DAY)];
/// An import costs as much as thousands of other requests. A person who moves needs a few attempts at most.
const IMPORTS: [Limit; 2] =
    [Limit::bucket("import-repo", 10, FIVE_MINUTES), Limit::bucket("import-repo-day", 100, DAY)];
const EXPORTS: [Limit; 1] = [Limit::bucket("get-repo", 6000, FIVE_MINUTES)];

/// Whose budget a method is charged to.
#[derive(Clone, Copy)]
pub(super) enum By {
    Address,
    Account,
    /// Only the body shows it; the handler charges.
    Body,
}

/// The limits of a method.
#[derive(Clone, Copy)]
pub(super) struct MethodLimits {
    pub(super) by: By,
    pub(super) limits: &'static [Limit],
    /// Points of one call.
    pub(super) cost: u32,
    /// They replace [`ADDRESS`] instead of counting beside it.
    pub(super) alone: bool,
}

/// The limits of a method, if it has its own.
pub(super) fn of_method(method: &str) -> Option<MethodLimits> {
    let own = |by, limits, cost| Some(MethodLimits { by, limits, cost, alone: false });
    match method {
        "com.atproto.server.createAccount" => own(By::Address, &SIGN_UPS, 1),
        "com.atproto.server.createSession" | "com.atproto.repo.applyWrites" | "com.atproto.repo.uploadBlob" => {
            own(By::Body, &[], 0)
        }
        "com.atproto.identity.updateHandle" => own(By::Account, &HANDLES, 1),
        "com.atproto.repo.createRecord" => own(By::Account, &WRITES, cost::CREATE),
        "com.atproto.repo.putRecord" => own(By::Account, &WRITES, cost::UPDATE),
        "com.atproto.repo.deleteRecord" => own(By::Account, &WRITES, cost::DELETE),
        "com.atproto.repo.importRepo" => own(By::Account, &IMPORTS, 1),
        "com.atproto.sync.getRepo" => own(By::Address, &EXPORTS, 1).map(|own| MethodLimits { alone: true, ..own }),
        _ => None,
    }
}
