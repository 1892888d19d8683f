//! How much of an object is kept.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// Whether the controller that an object of a namespace names is an instance that exists. A controller without a kind is one that a label names.
pub type Known = Arc<dyn Fn(&str, &OwnerReference) -> bool + Send + Sync>;

/// What decides how much of an object is kept.
///
/// Whoever may write to a namespace may write objects with our labels, as many and as large as quotas allow. So an object is kept whole
/// only if an instance that exists owns it, and only up to a number of bytes per instance. Of any other object metadata is kept. Where structs count,
/// each JSON object counts 256 bytes beside its text.
#[derive(Clone)]
pub struct Limits {
    /// Tells instances that exist.
    pub known: Known,
    /// Largest object of no instance that is kept whole, in bytes of JSON.
    pub unowned: usize,
    /// Bytes of JSON, with structs, that the objects of one instance may take.
    pub instance: usize,
    /// Bytes of JSON that the objects of no instance in one namespace may take.
    pub namespace: usize,
    /// Bytes of JSON, with structs, of the objects of one instance that are parsed at the same time.
    pub at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            known: Arc::new(|_, _| true),
            unowned: 0,
            instance: INSTANCE_BYTES,
            namespace: NAMESPACE_BYTES,
            at_once: AT_ONCE_BYTES,
        }
    }
}

/// Bytes of JSON, with structs, that objects of one kind and one instance may take. A Deployment with every setting has half of it.
pub const INSTANCE_BYTES: usize = 64 << 10;
/// Bytes of JSON that objects of one kind and one namespace may take which no instance owns: data that outlives its instance. A volume claim has
/// about 1.5 KiB.
const NAMESPACE_BYTES: usize = 2 << 20;
/// Bytes of JSON, with structs, that are parsed of one kind and one instance. A pod has about 5 KiB of it.
const AT_ONCE_BYTES: usize = 256 << 10;
