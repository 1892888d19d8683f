//! Settings for the invite codes that accounts make themselves.

use std::time::Duration;

use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// How many invite codes accounts may make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invites {
    /// Time for which an account may make one code; `None` if accounts make no codes.
    pub interval: Option<Duration>,
    /// Time since 1970 from which on intervals count.
    pub epoch: Duration,
}

impl Invites {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let interval = reader.optional(&setting::INVITE_INTERVAL);
        if interval.is_some_and(|interval: Duration| interval.is_zero()) {
            reader.refuse(&setting::INVITE_INTERVAL, Some("0".to_owned()), "is no time; allowed: 1ms or more");
        }
        Self { interval, epoch: reader.value(&setting::INVITE_EPOCH) }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { interval, epoch } = self;
        out.put_some(&setting::INVITE_INTERVAL, interval.as_ref());
        out.put(&setting::INVITE_EPOCH, epoch);
    }
}
