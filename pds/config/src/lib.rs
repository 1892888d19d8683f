//! pds/config.
