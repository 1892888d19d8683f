//! Names and labels that several components use. A component owns the names that it alone uses.

/// The component label of the pods of the PDS.
pub const SERVER: &str = "pds";
/// The component label of PostgreSQL.
pub const POSTGRES: &str = "postgres";
/// The component label of the Job that asks images of PostgreSQL for their version.
pub const POSTGRES_VERSION: &str = "postgres-version";
/// The component label of the Job that migrates the schema.
pub const MIGRATE: &str = "migrate";
/// Where pods find the certificates of the class's `caBundle`.
pub const CA_FILE: &str = "/ca/ca.crt";
/// Where the PDS finds the templates of mails.
pub const TEMPLATES_FOLDER: &str = "/templates";
/// Where the PDS finds the rules for records.
pub const RULES_FILE: &str = "/rules/records.json";

/// Name of the service account of every pod of the instance.
#[must_use]
pub fn service_account(instance: &str) -> String {
    format!("{instance}-pds")
}

/// The service account as a cloud's identity service knows it.
#[must_use]
pub fn service_account_subject(namespace: &str, instance: &str) -> String {
    format!("system:serviceaccount:{namespace}:{}", service_account(instance))
}

/// Name of the StatefulSet, the Service and the Secret of PostgreSQL.
#[must_use]
pub fn postgres(instance: &str) -> String {
    format!("{instance}-pg")
}

/// Name of the volume of SQLite.
#[must_use]
pub fn sqlite_volume(instance: &str) -> String {
    format!("{instance}-data")
}
