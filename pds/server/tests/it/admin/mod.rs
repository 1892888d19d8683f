//! `com.atproto.admin.*`.

mod subject_status;
