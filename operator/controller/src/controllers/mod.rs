//! One folder per kind, each with the same stages: observe, validate, build, apply, status.

pub mod pds_instance;
