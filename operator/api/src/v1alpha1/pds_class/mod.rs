//! `PdsClass`: what the platform provides to instances, and what it allows them.

mod allowed;
mod lookups;
mod object_store;
mod proxying;
mod services;
mod spec;

pub use allowed::{Allowed, Placement};
pub use lookups::Lookups;
pub use object_store::{AwsStore, Isolation, ObjectStore, Provisioner, WorkloadIdentity};
pub use proxying::Proxying;
pub use services::{RemoteService, Services};
pub use spec::{ClassLimits, Defaults, Images, PdsClass, PdsClassSpec, RunAs};
