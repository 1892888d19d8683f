//! Accounts: signing up, passwords, the state of an account now.
//!
//! Nothing is remembered of an account. Another replica may have taken it down, renamed it or ended a session a moment ago, and every
//! request that begins after that must see it ([ADR 18](../../../../docs/adr/0018-accounts-are-asked-for.md)).

mod accounts;
pub mod app_password;
pub mod deletion;
pub mod email;
pub mod invite;
pub mod new_password;
pub mod password;
pub mod preference;
pub mod scopes;
pub mod sign_up;

pub use accounts::Accounts;
