//! HTTP around the methods: health, well-known documents, what every request gets.

pub mod health;
pub mod layers;
pub mod rate_limit;
pub mod well_known;
