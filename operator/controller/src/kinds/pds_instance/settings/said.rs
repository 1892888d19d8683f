//! What an instance says, and what its class says for instances that say nothing.

use operator_api::{Defaults, PdsClass, PdsInstanceSpec};

/// A group of fields that both an instance and the defaults of its class have. Each field is that of the instance, otherwise that of the class.
pub(super) struct Said<'a, T>([Option<&'a T>; 2]);

impl<'a, T> Said<'a, T> {
    pub(super) fn of(
        spec: &'a PdsInstanceSpec,
        class: &'a PdsClass,
        instance: impl Fn(&'a PdsInstanceSpec) -> Option<&'a T>,
        default: impl Fn(&'a Defaults) -> Option<&'a T>,
    ) -> Self {
        Self([instance(spec), class.spec.defaults.as_ref().and_then(default)])
    }

    /// The value of a field.
    pub(super) fn find<V>(&self, field: impl Fn(&'a T) -> Option<V>) -> Option<V> {
        self.0.into_iter().flatten().find_map(field)
    }
}
