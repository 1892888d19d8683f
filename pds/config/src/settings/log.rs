//! Settings of the log.

use crate::choice::{LogFormat, LogLevel};
use crate::log_sample::LogSample;
use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// Format and filter of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    /// Filter directives, in the syntax of `RUST_LOG`.
    pub filter: String,
    /// Which lines about successful reads are logged.
    pub sample: LogSample,
}

impl Log {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let (level, enabled) = (reader.value(&setting::LOG_LEVEL), reader.value(&setting::LOG_ENABLED));
        let level = if enabled { level } else { LogLevel::Silent };
        Self {
            format: reader.value(&setting::LOG_FORMAT),
            filter: reader.optional(&setting::RUST_LOG).unwrap_or_else(|| level.filter().to_owned()),
            sample: reader.optional(&setting::LOG_SAMPLE).unwrap_or_default(),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { format, filter, sample } = self;
        out.put(&setting::LOG_FORMAT, format);
        out.put(&setting::RUST_LOG, filter);
        out.put_some(&setting::LOG_SAMPLE, Some(sample).filter(|sample| **sample != LogSample::default()));
    }
}
