//! Mails in words of the host's own.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::rule;

/// One mail in one language, in the syntax of Jinja. It replaces the built-in one, or is for a language that has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::rule(
    "self.mail == 'Layout' ? !has(self.text) : has(self.text)",
    "'email.templates.text: ' + (has(self.text) ? 'set' : 'absent') + ' for ' + self.mail + '; needed for every mail, and not for Layout, which is HTML alone'",
))]
pub struct MailTemplate {
    /// The language, for example `en` or `pt-br`.
    #[schemars(length(min = 2, max = 35), pattern("^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub language: String,
    /// The mail that it is for.
    pub mail: MailKind,
    /// The mail as text. It begins with a line `Subject: ...` and an empty line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32_768))]
    pub text: Option<String>,
    /// The mail as HTML, which extends the layout.
    #[schemars(length(min = 1, max = 65_536))]
    pub html: String,
}

/// A mail that a PDS sends, or what all of them share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum MailKind {
    /// The frame of all HTML mails of a language.
    Layout,
    /// The code that confirms an address.
    ConfirmEmail,
    /// The code that changes an address.
    UpdateEmail,
    /// The code that sets another password.
    ResetPassword,
    /// The code that deletes an account.
    DeleteAccount,
    /// The code that signs an operation on a `did:plc`.
    PlcOperation,
    /// The code of the second factor.
    SignIn,
    /// News for the address of before.
    EmailChanged,
    /// News that an account is deleted.
    AccountDeleted,
    /// A mail of an administrator or moderator.
    Moderation,
}
