//! `dev.auroralocus.blob.*`

mod get_metadata;
