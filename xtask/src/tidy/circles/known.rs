//! The circles between files that existed when the check was introduced. Circles may only be removed from these lists.

/// In the PDS.
pub(super) const PDS: &[&[&str]] = &[
    &["pds/blobstore/src/s3/buffer.rs", "pds/blobstore/src/s3/mod.rs", "pds/blobstore/src/s3/upload.rs"],
    &[
        "pds/config/src/codec/blob.rs",
        "pds/config/src/codec/plain.rs",
        "pds/config/src/fingerprint.rs",
        "pds/config/src/secrets/mod.rs",
        "pds/config/src/settings/blob.rs",
        "pds/config/src/settings/identity.rs",
        "pds/config/src/settings/mod.rs",
        "pds/config/src/settings/rate_limits.rs",
        "pds/config/src/settings/rules.rs",
        "pds/config/src/settings/service.rs",
        "pds/config/src/settings/storage.rs",
        "pds/config/src/table.rs",
    ],
    &["pds/lexicon/src/validate/format.rs", "pds/lexicon/src/validate/mod.rs", "pds/lexicon/src/validate/scalar.rs"],
    &["pds/repo/src/mst/node.rs", "pds/repo/src/mst/pack.rs"],
    &[
        "pds/repo/src/record/check.rs",
        "pds/repo/src/record/codec.rs",
        "pds/repo/src/record/json.rs",
        "pds/repo/src/record/mod.rs",
        "pds/repo/src/record/text.rs",
    ],
];

/// In the benchmarks.
pub(super) const BENCH: &[&[&str]] = &[
    &[
        "bench/benches/primitives/identifiers.rs",
        "bench/benches/primitives/main.rs",
        "bench/benches/primitives/records.rs",
        "bench/benches/primitives/signatures.rs",
    ],
    &["bench/src/curve.rs", "bench/src/main.rs"],
    &["bench/src/target/mod.rs", "bench/src/target/settings.rs"],
];
