//! `com.atproto.moderation.*`.

mod create_report;
