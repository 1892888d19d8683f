//! pds/store.
