//! Background jobs.

mod crawl;
