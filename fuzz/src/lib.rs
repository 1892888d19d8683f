//! Bytes from anywhere, given to whatever reads them, and what must hold then.
//!
//! A target is a function that panics when an input shows a fault; "does not crash" is the least of it, see each target. What is said here
//! about the formats is written down a second time, from the specifications, and shares no code with the product.

mod car;
mod commits;
mod dag_cbor;
mod frames;
mod input;
mod record;
mod syntax;
mod tree;

use std::sync::{Mutex, PoisonError};

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What an input may take, beyond its own length times [`GROWTH`].
const BASE_BYTES: usize = 16 << 20;
const GROWTH: usize = 256;

/// One format.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its file in `corpus`.
    pub name: &'static str,
    check: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target { name: "record", check: record::check },
    Target { name: "car", check: car::check },
    Target { name: "tree", check: tree::check },
    Target { name: "commits", check: commits::check },
    Target { name: "frames", check: frames::check },
    Target { name: "syntax", check: syntax::check },
];

impl Target {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.into_iter().find(|target| target.name == name)
    }

    /// Panics if something that must hold does not, and if the input takes memory beyond all proportion: a length that lies must not be
    /// believed. One input at a time, since the memory of the whole process is looked at.
    pub fn run(&self, input: &[u8]) {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        (self.check)(input);
        let taken = MEMORY.peak_usage().saturating_sub(before);
        assert!(taken <= BASE_BYTES + GROWTH * input.len(), "{} bytes of input took {taken} bytes", input.len());
    }
}
