//! operator/controller.
