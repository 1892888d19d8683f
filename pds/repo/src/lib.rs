//! pds/repo.
