//! The controllers of our kinds: from specs to running instances.

pub mod access;
pub mod command;
pub mod context;
pub mod crd;
pub mod guarded;
mod instances;
pub mod kinds;
pub mod options;
pub mod refusals;
pub mod rollouts;
pub mod run;
pub mod scrape;
mod scraper;
mod seed;
