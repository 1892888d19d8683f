//! Settings for the records that accounts may write.

use std::path::PathBuf;
use std::time::Duration;

use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// How records are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// Maximum time that a write waits for a lexicon of others. With 0 none is looked up.
    pub lexicon_timeout: Duration,
    /// The host's own rules for records.
    pub rules_file: Option<PathBuf>,
}

impl Records {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            lexicon_timeout: reader.value(&setting::LEXICON_RESOLVER_TIMEOUT),
            rules_file: reader.optional(&setting::RECORD_RULES_FILE),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { lexicon_timeout, rules_file } = self;
        out.put(&setting::LEXICON_RESOLVER_TIMEOUT, lexicon_timeout);
        out.put_some(&setting::RECORD_RULES_FILE, rules_file.as_ref());
    }
}
