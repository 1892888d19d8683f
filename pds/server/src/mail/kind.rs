//! The mails that this server sends.

/// What a mail is about. Each has a template for its text and one for its HTML.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// A code that confirms the address.
    ConfirmEmail,
    /// A code that allows to replace the address.
    UpdateEmail,
    /// A code that allows to set a new password.
    ResetPassword,
    /// A code that allows to delete the account.
    DeleteAccount,
    /// A code that allows to sign an operation of the account's identity.
    PlcOperation,
    /// A code that, with the password, signs in.
    SignIn,
    /// Tells the former address that the account has another one.
    EmailChanged,
    /// Tells that the account was deleted.
    AccountDeleted,
    /// What an administrator or a moderation service writes.
    Moderation,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::ConfirmEmail,
        Self::UpdateEmail,
        Self::ResetPassword,
        Self::DeleteAccount,
        Self::PlcOperation,
        Self::SignIn,
        Self::EmailChanged,
        Self::AccountDeleted,
        Self::Moderation,
    ];

    /// Whether it brings a code, of which only the newest is good.
    pub fn is_code(self) -> bool {
        !matches!(self, Self::EmailChanged | Self::AccountDeleted | Self::Moderation)
    }

    /// The name of its templates, and its label in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConfirmEmail => "confirm-email",
            Self::UpdateEmail => "update-email",
            Self::ResetPassword => "reset-password",
            Self::DeleteAccount => "delete-account",
            Self::PlcOperation => "plc-operation",
            Self::SignIn => "sign-in",
            Self::EmailChanged => "email-changed",
            Self::AccountDeleted => "account-deleted",
            Self::Moderation => "moderation",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
