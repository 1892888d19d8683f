//! pds/syntax.
