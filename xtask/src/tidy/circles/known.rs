//! The circles between files that existed when the check was introduced. Circles may only be removed from these lists.

/// In the PDS.
pub(super) const PDS: &[&[&str]] = &[
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
        "pds/store/src/full.rs",
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
pub(super) const BENCH: &[&[&str]] =
    &[&["bench/src/curve.rs", "bench/src/main.rs"], &["bench/src/target/mod.rs", "bench/src/target/settings.rs"]];
