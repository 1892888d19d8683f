//! The names of an instance's objects.

/// The names of one instance's objects.
#[derive(Clone, Debug)]
pub struct Names(pub String);

impl Names {
    /// Secret with the keys that cannot be made again.
    #[must_use]
    pub fn keys(&self) -> String {
        format!("{}-keys", self.0)
    }

    /// Everything of its own PostgreSQL: Secret, ConfigMap, StatefulSet, Service.
    #[must_use]
    pub fn postgres(&self) -> String {
        format!("{}-pg", self.0)
    }

    /// Service that gives PostgreSQL's pod its name.
    #[must_use]
    pub fn postgres_headless(&self) -> String {
        format!("{}-pg-headless", self.0)
    }

    /// Volume of PostgreSQL.
    #[must_use]
    pub fn postgres_volume(&self) -> String {
        format!("data-{}-pg-0", self.0)
    }

    /// Volume of SQLite.
    #[must_use]
    pub fn sqlite_volume(&self) -> String {
        format!("{}-data", self.0)
    }

    /// Secret with the credential of the bucket.
    #[must_use]
    pub fn s3(&self) -> String {
        format!("{}-s3", self.0)
    }

    /// Service of the metrics.
    #[must_use]
    pub fn metrics(&self) -> String {
        format!("{}-metrics", self.0)
    }

    /// ConfigMap with settings of this hash.
    #[must_use]
    pub fn config(&self, hash: &str) -> String {
        format!("{}-config-{hash}", self.0)
    }

    /// Job that brings the schema to the image of this hash; without one, the network policy of those Jobs.
    #[must_use]
    pub fn migrate(&self, hash: &str) -> String {
        if hash.is_empty() { format!("{}-migrate", self.0) } else { format!("{}-migrate-{hash}", self.0) }
    }
}
