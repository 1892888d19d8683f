//! The reasons of conditions and Events, with what each one means and what a person does about it.

use std::fmt;

/// One row per reason: name, whether only a person can go on, meaning, step. `docs/reference/reasons/` is generated from it.
macro_rules! reasons {
    ($($name:ident, $stalled:literal, $meaning:literal, $step:literal;)+) => {
        /// Why a condition is what it is; also the reason of the Event that tells it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)+
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The text in `status.conditions[].reason`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// Whether the operator can only go on after a person changed something.
            #[must_use]
            pub fn is_stalled(self) -> bool {
                match self { $(Self::$name => $stalled,)+ }
            }

            /// What the reason means: one or two sentences for a person who sees it for the first time.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }

            /// What the person does.
            #[must_use]
            pub fn step(self) -> &'static str {
                match self { $(Self::$name => $step,)+ }
            }
        }
    };
}

reasons! {
    AsExpected, false, "The part is as the spec asks.", "Nothing.";
    Progressing, false, "The operator or Kubernetes is at work.",
        "Wait. If it lasts for minutes, look at the pods that the message names.";
    WaitingForTurn, false, "The instance has to wait for its turn: the operator replaces the pods of a limited number of instances at a time.",
        "Wait, or raise `--max-rollouts` (`maxRollouts` of the chart). If instances in three namespaces report `RolloutStuck` with the same image, nobody else takes that image: correct it.";
    WaitingForKeys, false, "Nothing is changed while the keys are not there.", "Look at the condition `KeysReady`.";
    WaitingForDatabase, false, "The database does not accept connections yet.",
        "Wait. If it lasts, look at the pod and the volume of the database.";
    WaitingForBucket, false, "The bucket is being made.", "Wait.";
    WaitingForJob, false, "A Job of the instance runs.", "Wait, or read the Job's log.";
    BeingDeleted, false, "An object is being deleted and is not gone yet: something uses it, or a finalizer keeps it. The operator waits and changes nothing about the object.",
        "Wait. If it lasts, look at `metadata.finalizers` of the object that the message names: whoever set a finalizer has to remove it. If the message says that data is lost with the object, save the data first.";
    Paused, false, "`spec.paused` is true: the operator changes nothing and goes on reporting.", "Set `spec.paused` to false.";
    InvalidSpec, true, "The spec contradicts itself, the class or what exists.", "Change the field that the message names.";
    Unreadable, true, "The stored object does not fit this version of the operator, for example after a rollback. What runs goes on.",
        "Change the field that the message names, or install the newer operator again. The instance can be deleted.";
    CrdOutdated, true, "A CustomResourceDefinition is older than the operator, so the API server drops fields that it does not know. What runs goes on unchanged.",
        "Apply the CustomResourceDefinitions of the operator's version: `kubectl apply --server-side --force-conflicts -f crds/`, or `helm upgrade` with the chart of that version.";
    LimitExceeded, true, "A limit of the class refuses what the spec asks for. What runs goes on.",
        "Ask for less, or raise the limit of the PdsClass that the message names.";
    QuotaExceeded, false, "A ResourceQuota of the namespace refuses an object. What runs goes on, and the operator tries again.",
        "Raise the quota that the message names, or ask for less.";
    NotAllowed, true, "The class does not allow what the spec asks for.",
        "Change the field that the message names, or ask whoever owns the class to allow it.";
    ClassNotFound, true, "The PdsClass that the instance names does not exist; or the instance names none, and no class or more than one is marked as the default.", "Apply the class that the message names, or mark exactly one class as the default. `spec.className` cannot be changed after creation.";
    HostnameTaken, true, "Another instance holds the hostname.",
        "Choose another hostname, or end the other instance and its data. The PdsHostnameClaim names the holder.";
    ObjectNotOwned, true, "An object that the instance needs exists already and was not made by it. The operator neither changes nor deletes it.",
        "Delete or rename the object that the message names, or give the instance another name.";
    ApplyFailed, false, "The API server refused an object: a webhook, a limit range, missing rights. The message repeats the words of the API server. The operator tries again.",
        "Remove the cause that the message names.";
    ReconcileFailed, false, "A step failed for a cause that may pass. The operator tries again.", "Read the message; if it lasts, remove the cause.";
    KeySecretMissing, true, "The Secret with the keys is gone or lacks one of its four keys, and data exists that needs them.",
        "Restore the Secret from a backup. The operator makes no new keys while data exists.";
    KeysMismatch, true, "The Secret holds other keys than those that the data belongs to.",
        "Restore the Secret whose keys have the fingerprint that the message gives for the data, or use another database and bucket.";
    CredentialsInvalid, true, "A credential or URL is missing, malformed or refused.", "Correct the Secret and key that the message names.";
    BucketNotOwned, true, "The bucket belongs to another instance, or nobody marked it.",
        "Restore the Secret with the keys of the bucket, or hand the bucket over: write the object `.aurora-locus/adopt` with the content `NAMESPACE/NAME` into it.";
    BucketMissing, true, "The object store does not have the bucket with the blobs of the instance. What runs goes on; no pod is started anew.",
        "Bring the bucket back with its objects. To go on without the blobs, create an empty bucket of that name; if the spec chose the name, also hand it over with the object `.aurora-locus/adopt`.";
    BucketsNotIsolated, true, "The object store lets the user of one bucket reach the buckets of others, so no user was made.",
        "Upgrade the object store, or put a proxy before it that refuses such requests. If all tenants of the object store trust each other, set `spec.objectStore.isolation: Waived` in the PdsClass.";
    BlobStoreUnavailable, false, "The S3 service does not answer. Records, sessions and the firehose go on; blobs do not.",
        "Bring the S3 service back.";
    ObjectStoreChanged, true, "The class names another object store, and this instance's bucket is not there. The instance goes on with the old one.",
        "Copy the bucket with its object `.aurora-locus/owner.json` to the new service, or set the class back.";
    CertificateInvalid, true, "The Secret of `spec.tls` does not hold a certificate with its key, or the certificate has expired or is not valid yet.",
        "Replace the Secret. Pods keep the certificate that they have.";
    MigrationFailed, false, "The Job that migrates the schema failed. The operator tries again after five minutes.",
        "Read the message and the Job's log.";
    DatabaseVersionMismatch, true, "The image of PostgreSQL is of another major version than the data directory.",
        "Set the image back to the major version that the message names. A major upgrade needs a dump and a restore.";
    StorageFilling, false, "The volume of the database is nearly full. Everything goes on; once it is full, writes are refused.",
        "Raise the size of the volume in the spec; the operator grows it where the storage class allows it.";
    StorageFull, false, "The volume of the database is full. Reads go on, writes are refused.",
        "Raise the size of the volume in the spec; the operator grows it where the storage class allows it.";
    Unschedulable, false, "Kubernetes finds no node for a pod.", "Read the message: node selector, tolerations, resources or volume.";
    ImageUnavailable, false, "The image of a container cannot be pulled.", "Correct the image, or its pull secret.";
    PodCrashing, false, "A container ends again and again. The message repeats the last line of its log.", "Read the log of the pod that the message names.";
    PodRefused, false, "Kubernetes cannot create a pod: a quota, Pod Security, a webhook or a limit range refuses it.",
        "Remove the cause that the message names.";
    RolloutStuck, true, "New pods did not become ready in time; the old ones go on where there are any.",
        "Look at the pod that the message names. Set the image of the class or of the spec back, or remove the cause; the Deployment then goes on by itself.";
    CleanupFailed, false, "Data could not be deleted yet. The operator tries again.",
        "Remove the cause that the message names, or set the deletion policy to Retain.";
}

impl Reason {
    /// Whether an Event is published when a condition gets this reason. Waiting is no news.
    #[must_use]
    pub fn is_told(self) -> bool {
        !matches!(
            self,
            Self::AsExpected
                | Self::Progressing
                | Self::WaitingForTurn
                | Self::WaitingForKeys
                | Self::WaitingForDatabase
                | Self::WaitingForBucket
                | Self::WaitingForJob
                | Self::BeingDeleted
                | Self::Paused
                | Self::Unreadable
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn every_reason_is_one_word_and_has_a_step() {
        for reason in Reason::ALL {
            assert!(reason.as_str().chars().all(char::is_alphanumeric), "{reason}");
            assert!(!reason.step().is_empty() && reason.meaning().ends_with('.'), "{reason}");
        }
    }
}
