//! HTTP around the methods: health, well-known documents, limits, and what every request passes.

mod answer;
pub mod client;
pub mod detail;
pub mod health;
pub mod host;
pub mod layers;
pub mod listener;
pub mod openapi;
mod pace;
pub mod rate_limit;
pub mod sample;
pub mod well_known;

pub use answer::{Answers, Plain};
pub use sample::Sampling;
