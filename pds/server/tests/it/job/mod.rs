//! Background jobs.

mod crawl;
mod replicas;
mod schedule;
