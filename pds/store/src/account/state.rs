//! An account's row, and its state.

use std::fmt;

use pds_syntax::{Did, Handle};

use super::AccountId;

/// The state that others see. Its causes are stored separately; the strongest one counts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Status {
    /// Reserved while its DID is published. To everybody else the account does not exist.
    Creating,
    /// In use.
    Active,
    /// Switched off by its owner.
    Deactivated,
    /// Switched off by the host until a time. It takes no commits until the suspension is ended, which is announced.
    Suspended {
        /// When it ends; microseconds.
        until: i64,
    },
    /// Switched off by the host.
    TakenDown,
    /// Deleted by its owner or the host; its data is kept for a while. To everybody else the account does not exist.
    Deleted,
}

/// An account's row.
#[derive(Clone, Eq, PartialEq)]
pub struct Account {
    /// The account's key.
    pub id: AccountId,
    /// The permanent identifier.
    pub did: Did,
    /// The name now.
    pub handle: Handle,
    /// E-mail address in lower case.
    pub email: Option<String>,
    /// When the address was confirmed; microseconds.
    pub email_confirmed_at: Option<i64>,
    /// In PHC format. `None`: nobody can log in with a password.
    pub password_hash: Option<String>,
    /// Access tokens of an older epoch are invalid.
    pub token_epoch: i32,
    /// When it was reserved; microseconds.
    pub created_at: i64,
    /// When its sign-up was finished; `None` while it is reserved; microseconds.
    pub activated_at: Option<i64>,
    /// Since when its owner has switched it off; microseconds.
    pub deactivated_at: Option<i64>,
    /// When a deactivated account is to be deleted; microseconds.
    pub delete_after: Option<i64>,
    /// Reference to the decision by which it was taken down.
    pub takedown_ref: Option<String>,
    /// Until when it is suspended; microseconds. The suspension may be over and not ended yet.
    pub suspended_until: Option<i64>,
    /// Whether signing in with the password also needs a mailed code.
    pub email_auth_factor: bool,
    /// When it was deleted; microseconds.
    pub deleted_at: Option<i64>,
    /// Maximum size of its records and blobs in bytes, 0 for no maximum, if it differs from the host's.
    pub quota_bytes: Option<u64>,
}

impl Account {
    /// The strongest of the stored causes, which decides about commits. A suspension counts until it is ended.
    #[must_use]
    pub fn status(&self) -> Status {
        self.causes().status()
    }

    /// What readers see at `now`, in microseconds: a suspension that is over does not count.
    #[must_use]
    pub fn status_at(&self, now: i64) -> Status {
        self.causes().at(now).status()
    }

    /// Maximum size of its records and blobs in bytes: its own, or else `of_host`. `None`: there is none.
    #[must_use]
    pub fn quota(&self, of_host: Option<u64>) -> Option<u64> {
        match self.quota_bytes {
            Some(own) => Some(own).filter(|bytes| *bytes > 0),
            None => of_host,
        }
    }

    /// Whether the account is suspended until a time that has passed by `now`, in microseconds.
    #[must_use]
    pub fn suspension_is_over(&self, now: i64) -> bool {
        self.suspended_until.is_some_and(|until| until <= now)
    }

    fn causes(&self) -> Causes {
        Causes {
            activated: self.activated_at.is_some(),
            deleted: self.deleted_at.is_some(),
            taken_down: self.takedown_ref.is_some(),
            suspended_until: self.suspended_until,
            deactivated: self.deactivated_at.is_some(),
        }
    }

    /// Whether others see that there is such an account: its sign-up is finished and it was not deleted.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.status().exists()
    }
}

impl Status {
    /// Whether others see that there is such an account.
    #[must_use]
    pub fn exists(self) -> bool {
        !matches!(self, Self::Creating | Self::Deleted)
    }
}

/// What is stored of an account's state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Causes {
    pub(crate) activated: bool,
    pub(crate) taken_down: bool,
    pub(crate) suspended_until: Option<i64>,
    pub(crate) deactivated: bool,
    pub(crate) deleted: bool,
}

impl Causes {
    /// Without a suspension that is over.
    pub(crate) fn at(self, now: i64) -> Self {
        Self { suspended_until: self.suspended_until.filter(|until| *until > now), ..self }
    }

    /// The state of the strongest cause.
    pub(crate) fn status(self) -> Status {
        match self {
            Self { deleted: true, .. } => Status::Deleted,
            Self { activated: false, .. } => Status::Creating,
            Self { taken_down: true, .. } => Status::TakenDown,
            Self { suspended_until: Some(until), .. } => Status::Suspended { until },
            Self { deactivated: true, .. } => Status::Deactivated,
            _ => Status::Active,
        }
    }
}

impl fmt::Debug for Account {
    /// Without the e-mail address and the password hash, which have no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("did", &self.did)
            .field("handle", &self.handle)
            .field("status", &self.status())
            .field("token_epoch", &self.token_epoch)
            .finish_non_exhaustive()
    }
}
