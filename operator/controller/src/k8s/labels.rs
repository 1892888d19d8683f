//! Labels that every object of an instance carries.

use std::collections::BTreeMap;

/// What the label `app.kubernetes.io/managed-by` says.
pub const MANAGED_BY: &str = "aurora-locus-operator";
/// The label with the name of the instance.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The label with the part of the instance.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// Selects everything that this operator made.
pub const SELECTOR: &str = "app.kubernetes.io/managed-by=aurora-locus-operator";

/// Selects everything else.
pub const NOT_OURS: &str = "app.kubernetes.io/managed-by!=aurora-locus-operator";

/// A part of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// The server itself.
    Pds,
    /// Its PostgreSQL.
    Postgres,
    /// The migration of its schema.
    Migrate,
}

impl Component {
    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pds => "pds",
            Self::Postgres => "postgres",
            Self::Migrate => "migrate",
        }
    }
}

/// All labels of an object.
#[must_use]
pub fn all(instance: &str, component: Component) -> BTreeMap<String, String> {
    let mut labels = selector(instance, component);
    labels.insert("app.kubernetes.io/managed-by".into(), MANAGED_BY.into());
    labels
}

/// The labels by which Services and workloads find pods; they never change.
#[must_use]
pub fn selector(instance: &str, component: Component) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".into(), "aurora-locus".into()),
        (INSTANCE.into(), instance.into()),
        (COMPONENT.into(), component.as_str().into()),
    ])
}

/// Selects the objects of one instance.
#[must_use]
pub fn of_instance(instance: &str) -> String {
    format!("{SELECTOR},{INSTANCE}={instance}")
}
