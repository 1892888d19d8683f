//! Runs the target in `AURORA_FUZZ_TARGET` with libFuzzer. `fuzz/run` starts this program.
#![no_main]

use std::sync::LazyLock;

use fuzz::Target;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("AURORA_FUZZ_TARGET").expect("AURORA_FUZZ_TARGET must be set");
    Target::named(&name).expect("AURORA_FUZZ_TARGET must be the name of a target")
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET.run(input));
