//! operator/api.
