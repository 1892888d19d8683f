//! When background jobs run.

use std::time::Duration;

use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

macro_rules! intervals {
    ($($(#[$doc:meta])* $field:ident: $setting:ident,)*) => {
        /// Times between the runs of each background job, and the lease of a run.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Jobs {
            /// How long a replica that does not say anything keeps a job from the others.
            pub lease: Duration,
            $($(#[$doc])* pub $field: Duration,)*
        }

        impl Jobs {
            pub(super) fn read(reader: &mut Reader<'_>) -> Self {
                Self { lease: reader.value(&setting::JOB_LEASE), $($field: reader.value(&setting::$setting),)* }
            }

            pub(super) fn render(&self, out: &mut Rendered) {
                let Self { lease, $($field,)* } = self;
                out.put(&setting::JOB_LEASE, lease);
                $(out.put(&setting::$setting, $field);)*
            }
        }
    };
}

intervals! {
    account_purge: JOB_ACCOUNT_PURGE_INTERVAL,
    blob_orphan_sweep: JOB_BLOB_ORPHAN_SWEEP_INTERVAL,
    blob_store_check: JOB_BLOB_STORE_CHECK_INTERVAL,
    cache_cleanup: JOB_CACHE_CLEANUP_INTERVAL,
    crawl: JOB_CRAWL_INTERVAL,
    database_maintenance: JOB_DATABASE_MAINTENANCE_INTERVAL,
    event_retention: JOB_EVENT_RETENTION_INTERVAL,
    expired_imports: JOB_EXPIRED_IMPORTS_INTERVAL,
    health_check: JOB_HEALTH_CHECK_INTERVAL,
    identity_changes: JOB_IDENTITY_CHANGES_INTERVAL,
    mails: JOB_MAILS_INTERVAL,
    reservations: JOB_RESERVATIONS_INTERVAL,
    session_cleanup: JOB_SESSION_CLEANUP_INTERVAL,
    suspension_cleanup: JOB_SUSPENSION_CLEANUP_INTERVAL,
}
