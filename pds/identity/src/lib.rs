//! pds/identity.
