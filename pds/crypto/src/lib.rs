//! pds/crypto.
