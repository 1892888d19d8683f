//! `dev.auroralocus.account.*`

mod create_app_password;
pub(crate) mod get_export;
