//! What is asked of the server, and the tests that show it.
//!
//! The table of requirements is data. Which tests show a requirement is read from the tests, which cite its id.

mod citation;
mod method;
mod table;

pub(crate) use citation::{Citation, citations};
pub(crate) use method::{Proof, WANTED, needless, proofs};
pub(crate) use table::{ELSEWHERE, Requirement, SECTIONS, Standing, is_known};
