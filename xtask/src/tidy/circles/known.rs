//! The circles between files that existed when the check was introduced. Circles may only be removed from this list.

/// In the benchmarks.
pub(super) const BENCH: &[&[&str]] =
    &[&["bench/src/curve.rs", "bench/src/main.rs"], &["bench/src/target/mod.rs", "bench/src/target/settings.rs"]];
