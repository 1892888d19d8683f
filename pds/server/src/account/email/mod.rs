//! E-mail addresses of accounts: which are accepted, and the codes that prove that a person reads one.
//!
//! A code has ten characters, 50 random bits. It is good for 15 minutes, once, for one purpose, and only while the account has the address that it was
//! sent to; a new one for the same purpose voids it. The database has its hash alone.

pub mod address;
mod code;
mod emails;
mod error;
mod update;

pub use code::Code;
pub use emails::{Emails, Parts, check, holder};
pub use error::Error;
pub use update::AddressChange;
