//! `com.atproto.moderation.*`.

mod create_report;

pub use create_report::create_report;
