//! `PdsClass`: what the platform provides to instances, and what it allows them.

mod allowed;
mod object_store;
mod services;
mod spec;

pub use allowed::{Allowed, Placement};
pub use object_store::{AwsStore, Isolation, ObjectStore, Provisioner, WorkloadIdentity};
pub use services::{RemoteService, Services};
pub use spec::{ClassLimits, Defaults, Images, PdsClass, PdsClassSpec, RunAs};
