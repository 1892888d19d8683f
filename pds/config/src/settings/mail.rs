//! Mails, and accounts as far as mails concern them.

use std::path::PathBuf;
use std::time::Duration;

use crate::choice::NeedsEmail;
use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// Senders, templates, and what needs a confirmed address. The servers are in [`crate::Secrets`], because their URLs contain passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Sender of mails to users.
    pub from: Option<String>,
    /// Sender of mails of administrators and moderators.
    pub moderation_from: Option<String>,
    /// Whether mails that confirm an address contain a link.
    pub confirmation_link: bool,
    /// Directory of templates.
    pub templates: Option<PathBuf>,
    /// Language tag in lower case.
    pub language: String,
    /// What accounts may do only with a confirmed address.
    pub required_for: Vec<NeedsEmail>,
    /// How long the data of a deleted account is kept.
    pub delete_grace: Duration,
}

impl Mail {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            from: reader.optional(&setting::EMAIL_FROM_ADDRESS),
            moderation_from: reader.optional(&setting::MODERATION_EMAIL_ADDRESS),
            confirmation_link: !reader.value(&setting::EMAIL_DISABLE_CONFIRMATION_LINK),
            templates: reader.optional(&setting::EMAIL_TEMPLATES_DIRECTORY),
            language: reader.value(&setting::EMAIL_LANGUAGE),
            required_for: reader.value(&setting::REQUIRE_CONFIRMED_EMAIL),
            delete_grace: reader.value(&setting::ACCOUNT_DELETE_GRACE_MS),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { from, moderation_from, confirmation_link, templates, language, required_for, delete_grace } = self;
        out.put_some(&setting::EMAIL_FROM_ADDRESS, from.as_ref());
        out.put_some(&setting::MODERATION_EMAIL_ADDRESS, moderation_from.as_ref());
        out.put(&setting::EMAIL_DISABLE_CONFIRMATION_LINK, &!confirmation_link);
        out.put_some(&setting::EMAIL_TEMPLATES_DIRECTORY, templates.as_ref());
        out.put(&setting::EMAIL_LANGUAGE, language);
        out.put(&setting::REQUIRE_CONFIRMED_EMAIL, required_for);
        out.put(&setting::ACCOUNT_DELETE_GRACE_MS, delete_grace);
    }
}
