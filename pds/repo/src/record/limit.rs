//! Limits on a record.

/// Maximum size of a record block in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Maximum nesting depth of maps and lists.
pub const MAX_DEPTH: usize = 128;
