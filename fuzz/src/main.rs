//! Gives libFuzzer the target that `AURORA_FUZZ_TARGET` names; started by `fuzz/run`.
#![no_main]

use std::sync::LazyLock;

use fuzz::Target;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("AURORA_FUZZ_TARGET").expect("AURORA_FUZZ_TARGET names a target");
    Target::named(&name).expect("AURORA_FUZZ_TARGET names a target that there is")
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET.run(input));
