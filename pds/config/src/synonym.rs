//! Settings with two names: finds those whose two values differ.

use crate::reader::Reader;
use crate::redis_url::RedisUrl;
use crate::table::{setting, var};
use crate::variable::Setting;

/// A variable without effect, because another one says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overruled {
    pub name: &'static str,
    /// The one that counts.
    pub by: &'static str,
}

/// The variables that are set and do not count. Variables that say the same are none of them.
pub fn overruled(lookup: impl Fn(&str) -> Option<String>) -> Vec<Overruled> {
    let mut reader = Reader::new(&lookup);
    let mut found = Vec::new();
    let mut add = |name, by, differs| {
        if differs {
            found.push(Overruled { name, by });
        }
    };
    let urls = both(&mut reader, &setting::DATABASE_URL, &setting::GENERAL_DATABASE_URL);
    let differs = urls.is_some_and(|(counts, other)| counts.expose() != other.expose());
    add(var::GENERAL_DATABASE_URL, var::DATABASE_URL, differs);

    let password = reader.optional(&setting::REDIS_SCRATCH_PASSWORD);
    let urls = both(&mut reader, &setting::REDIS_URL, &setting::REDIS_SCRATCH_ADDRESS);
    let same = |url: &RedisUrl, address: &str| {
        RedisUrl::of(address, password.as_ref()).is_some_and(|other| other.expose() == url.expose())
    };
    let differs = urls.is_some_and(|(counts, other)| !same(&counts, &other));
    add(var::REDIS_SCRATCH_ADDRESS, var::REDIS_URL, differs);

    let times = both(&mut reader, &setting::DID_CACHE_STALE_TTL, &setting::CACHE_DID_DOC_TTL);
    add(var::CACHE_DID_DOC_TTL, var::DID_CACHE_STALE_TTL, times.is_some_and(|(counts, other)| counts != other));

    let levels = both(&mut reader, &setting::RUST_LOG, &setting::LOG_LEVEL);
    let differs = levels.is_some_and(|(counts, other)| counts != other.filter());
    add(var::LOG_LEVEL, var::RUST_LOG, differs);
    let switches = both(&mut reader, &setting::RUST_LOG, &setting::LOG_ENABLED);
    let differs = switches.is_some_and(|(counts, enabled)| !enabled && counts != "off");
    add(var::LOG_ENABLED, var::RUST_LOG, differs);
    found
}

fn both<T, U>(reader: &mut Reader<'_>, counts: &Setting<T>, other: &Setting<U>) -> Option<(T, U)> {
    reader.optional(counts).zip(reader.optional(other))
}
