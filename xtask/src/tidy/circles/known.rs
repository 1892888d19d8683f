//! The circles between files that existed when the check was introduced. Circles may only be removed from these lists.

/// In the operator. This list is to become empty.
pub(super) const OPERATOR: &[&[&str]] = &[
    &[
        "operator/controller/src/controllers/pds_instance/apply.rs",
        "operator/controller/src/controllers/pds_instance/stages.rs",
        "operator/controller/src/controllers/pds_instance/status.rs",
    ],
    &[
        "operator/controller/src/provision/bucket.rs",
        "operator/controller/src/provision/mod.rs",
        "operator/controller/src/provision/static_credentials.rs",
        "operator/controller/src/provision/versitygw.rs",
    ],
    &[
        "operator/controller/tests/it/harness.rs",
        "operator/controller/tests/it/rights.rs",
        "operator/controller/tests/it/wire.rs",
    ],
];

/// In the PDS.
pub(super) const PDS: &[&[&str]] = &[
    &["pds/blobstore/src/s3/buffer.rs", "pds/blobstore/src/s3/mod.rs", "pds/blobstore/src/s3/upload.rs"],
    &[
        "pds/config/src/codec/blob.rs",
        "pds/config/src/codec/plain.rs",
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
    &[
        "pds/server/src/account/mod.rs",
        "pds/server/src/actor/export.rs",
        "pds/server/src/actor/import/content.rs",
        "pds/server/src/actor/import/mod.rs",
        "pds/server/src/actor/import/spool.rs",
        "pds/server/src/actor/load.rs",
        "pds/server/src/actor/mod.rs",
        "pds/server/src/actor/prepare.rs",
        "pds/server/src/app.rs",
    ],
    &["pds/server/src/auth/admin.rs", "pds/server/src/auth/mod.rs", "pds/server/src/auth/session.rs"],
    &["pds/server/src/sequencer/backfill.rs", "pds/server/src/sequencer/mod.rs"],
    &["pds/server/tests/it/harness/mod.rs", "pds/server/tests/it/harness/person.rs"],
    &[
        "pds/store/src/account/mod.rs",
        "pds/store/src/db.rs",
        "pds/store/src/dialect/postgres/mod.rs",
        "pds/store/src/dialect/sqlite/mod.rs",
        "pds/store/src/dialect/sqlite/reader.rs",
        "pds/store/src/error.rs",
        "pds/store/src/event/wakeups.rs",
        "pds/store/src/record.rs",
        "pds/store/src/repo.rs",
        "pds/store/src/snapshot.rs",
        "pds/store/src/source.rs",
        "pds/store/src/tx.rs",
    ],
    &[
        "pds/store/src/commit/mod.rs",
        "pds/store/src/commit/net.rs",
        "pds/store/src/dialect/postgres/commit/blobs.rs",
        "pds/store/src/dialect/postgres/commit/columns.rs",
        "pds/store/src/dialect/postgres/commit/creates.rs",
        "pds/store/src/dialect/postgres/commit/lone.rs",
        "pds/store/src/dialect/postgres/commit/mod.rs",
        "pds/store/src/dialect/sqlite/commit.rs",
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
