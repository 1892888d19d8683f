//! The spec of a `PdsClass`.

#![expect(clippy::duplicated_attributes, reason = "several columns have the same type")]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::rule;
use super::{Allowed, Lookups, ObjectStore, Proxying, Services};
use crate::v1alpha1::{Cache, Email, Identity, Jobs, Limits, Log, Quantity, RecordRules, Traces};

/// What the platform provides to every PDS of this class, and what it allows.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "auroralocus.dev",
    version = "v1alpha1",
    kind = "PdsClass",
    plural = "pdsclasses",
    shortname = "pdsclass",
    doc = "What the platform provides to every PDS of this class, and what it allows.",
    printcolumn(name = "Default", type_ = "boolean", json_path = ".spec.default"),
    printcolumn(name = "Provisioner", type_ = "string", json_path = ".spec.objectStore.provisioner"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.images.pds"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct PdsClassSpec {
    /// The installation of the operator that serves this class; `auroralocus.dev/operator` if absent. Other installations leave the
    /// instances of the class alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub controller_name: Option<String>,
    /// Whether instances without `className` use this class. At most one class of an installation should say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    /// Container images, unless an instance names its own.
    pub images: Images,
    /// The PLC directory, for example `https://plc.directory`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rule::url("spec.plcUrl"))]
    pub plc_url: String,
    /// The S3 service that holds the blobs. Without it, instances of this class need `blobStore.disk`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_store: Option<ObjectStore>,
    /// Certificates in PEM that pods and operator trust beside those of the system, for the S3 service and the PLC directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 262_144))]
    pub ca_bundle: Option<String>,
    /// Domains that instances may use: `hostname` and `handleDomains` must be one of them or below one; of an entry with a leading dot
    /// only what is below. An instance may not use a domain below one that an instance of another namespace holds. Every domain if
    /// absent, and then nobody looks what is below what.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)))]
    pub domains: Option<Vec<String>>,
    /// What instances may do beyond their own namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allowed>,
    /// What instances of the class may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<ClassLimits>,
    /// What instances get that say nothing themselves. A change reaches running instances one after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// The services of the network that the instances use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<Services>,
    /// How the servers look up handles, identities and lexicons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookups: Option<Lookups>,
    /// How the servers pass requests on to other services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxying: Option<Proxying>,
    /// Private destinations that the servers themselves may connect to: networks such as `10.96.0.0/12`, or hosts such as `.pds.test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub outbound_allow: Option<Vec<String>>,
    /// Networks of the proxies before the pods, for example those of the ingress controller's pods. Only what they say in
    /// `X-Forwarded-For` counts as a client's address; without them all clients of a proxy share the limits of one address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64)))]
    pub trusted_proxies: Option<Vec<String>>,
    /// Who chooses the user id of the processes; `Operator` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as: Option<RunAs>,
}

/// Who chooses the user id of the processes in pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunAs {
    /// The operator: 65532 for the PDS, 999 for PostgreSQL.
    Operator,
    /// The platform, as OpenShift does with a range per namespace.
    Platform,
}

/// Container images of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    /// The image of the PDS; its entry point is the `pds` binary. A new one reaches instances one after the other.
    #[schemars(length(min = 1, max = 512))]
    pub pds: String,
    /// An image with `sh`, `initdb`, `postgres`, `psql` and `pg_isready` in its `PATH`. An image of another major version is refused
    /// for instances that have data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub postgres: Option<String>,
}

/// What instances get that say nothing themselves. An instance can say something else for each field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Defaults {
    /// Invitations, and the contact and documents of the host that the server names to clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Limits for users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Rules for the records that instances accept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordRules>,
    /// How mail is sent to users. The Secrets are those of the instance's namespace. An instance with an `email` of its own gets nothing of
    /// this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// A Redis server. The Secret is that of the instance's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// When the background jobs run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Jobs>,
    /// What the pods write to their logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
    /// Where the pods send traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces: Option<Traces>,
}

/// What instances of a class may ask for. A limit that is lowered refuses growth and stops nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassLimits {
    /// The largest `replicas` of an instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_replicas: Option<i32>,
    /// The largest volume of an instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_storage: Option<Quantity>,
    /// How many buckets of the object store the instances of one namespace may have; 32 if absent. Buckets of deleted instances count as
    /// long as they exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub buckets_per_namespace: Option<i32>,
}
