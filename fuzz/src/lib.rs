//! Fuzz targets for all code that reads untrusted bytes.
//!
//! A target is a function that panics if an input reveals a fault. Each target checks properties of the result, not only the absence of
//! crashes. The rules of the formats are implemented here a second time, from the specifications, and share no code with the product.

mod car;
mod commits;
mod dag_cbor;
mod frames;
mod input;
mod lexicon;
mod record;
mod syntax;
mod tree;

use std::sync::{Mutex, PoisonError};

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Maximum memory that a target may take for an input, in addition to [`GROWTH`] times its length.
const BASE_BYTES: usize = 16 << 20;
const GROWTH: usize = 256;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also the name of its file in `corpus`.
    pub name: &'static str,
    check: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 7] = [
    Target { name: "record", check: record::check },
    Target { name: "car", check: car::check },
    Target { name: "tree", check: tree::check },
    Target { name: "commits", check: commits::check },
    Target { name: "frames", check: frames::check },
    Target { name: "syntax", check: syntax::check },
    Target { name: "lexicon", check: lexicon::check },
];

impl Target {
    /// The target with this name.
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.into_iter().find(|target| target.name == name)
    }

    /// Runs the target on an input. Panics if a property does not hold, or if the target takes more memory than [`BASE_BYTES`] and [`GROWTH`]
    /// allow: no memory may be allocated for a length that is only claimed. Runs one input at a time, because it measures the whole process.
    pub fn run(&self, input: &[u8]) {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        (self.check)(input);
        let taken = MEMORY.peak_usage().saturating_sub(before);
        assert!(
            taken <= BASE_BYTES + GROWTH * input.len(),
            "an input of {} bytes took {taken} bytes of memory",
            input.len()
        );
    }
}
