//! `dev.auroralocus.blob.*`: what this project adds about blobs.

mod get_metadata;

pub use get_metadata::get_metadata;
