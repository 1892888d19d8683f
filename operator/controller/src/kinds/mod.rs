//! One folder per kind, each with the same stages: observe, validate, plan, carry out, status.

pub mod pds_instance;
