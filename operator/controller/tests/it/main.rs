//! The controller against a real API server without a node: what it writes, not what runs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends there")]

mod adoption;
mod aggregated_roles;
mod allowed;
mod class_edits;
mod crash;
mod definitions;
mod deletion;
mod environment;
mod evictions;
mod failures;
mod finalizer;
mod given;
mod harness;
mod home;
mod hostnames;
mod installations;
mod lifecycle;
mod node;
mod operator;
mod outcome;
mod ownership;
mod pause;
mod postgres_start;
mod process;
mod quantities;
mod rest;
mod rights;
mod roles;
mod s3;
mod schema;
mod secrets;
mod tenants;
mod unreadable;
mod wire;
