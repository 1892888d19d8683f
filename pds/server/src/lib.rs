//! pds/server.
