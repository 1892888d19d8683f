//! Decides whether an object belongs to an instance.
//!
//! A name or a label proves little: anybody who may write to the namespace can choose both. So an object is taken for an instance's own
//! only with the owner reference that the API server keeps, with the UID of the instance in a label where no owner is left, or, for data, which has no owner, with all marks and no other owner. What
//! such data holds is treated as input all the same.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::labels;

/// An instance as the owner of objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Owner {
    /// The owner reference that the objects of the instance carry.
    pub reference: OwnerReference,
    /// The namespace of the instance and of all its objects.
    pub namespace: String,
}

/// How long an object lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// It is deleted with the instance: it has an owner reference.
    Instance,
    /// It outlives the instance: it has marks and no owner.
    Data,
}

/// Whose an object is, from an instance's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// To the instance.
    Ours,
    /// To an earlier instance of the same name, and on its way out.
    Predecessors,
    /// To somebody else.
    Others,
}

impl Owner {
    /// Whose the object with this metadata is.
    #[must_use]
    pub fn judge(&self, metadata: &ObjectMeta, lifetime: Lifetime) -> Belongs {
        let owners = metadata.owner_references.as_deref().unwrap_or_default();
        let controller = owners.iter().find(|owner| owner.controller == Some(true));
        let label = |key: &str| metadata.labels.as_ref().and_then(|labels| labels.get(key));
        match lifetime {
            Lifetime::Instance => match controller {
                Some(owner) if owner.uid == self.reference.uid => Belongs::Ours,
                Some(owner) if owner.kind == self.reference.kind && owner.name == self.reference.name => {
                    Belongs::Predecessors
                }
                Some(_) => Belongs::Others,
                None => match orphaned_by(metadata) {
                    Some(uid) if uid == self.reference.uid => Belongs::Ours,
                    Some(_) if label(labels::INSTANCE) == Some(&self.reference.name) => Belongs::Predecessors,
                    _ => Belongs::Others,
                },
            },
            Lifetime::Data => {
                let marked = label(labels::INSTANCE) == Some(&self.reference.name)
                    && label(labels::MANAGED_BY_LABEL).is_some_and(|value| value == labels::MANAGED_BY);
                if marked && controller.is_none() { Belongs::Ours } else { Belongs::Others }
            }
        }
    }
}

/// The UID of the instance that an object went with, if no controller owns the object any more.
#[must_use]
pub fn orphaned_by(metadata: &ObjectMeta) -> Option<&str> {
    let is_owned = metadata.owner_references.iter().flatten().any(|owner| owner.controller == Some(true));
    let uid = metadata.labels.as_ref()?.get(labels::OWNER_UID)?;
    (!is_owned).then_some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        let reference =
            OwnerReference { kind: "Kind".into(), name: "web".into(), uid: "1".into(), ..Default::default() };
        Owner { reference, namespace: "ns".into() }
    }

    fn owned_by(uid: &str, name: &str) -> ObjectMeta {
        let reference =
            OwnerReference { uid: uid.into(), name: name.into(), controller: Some(true), ..owner().reference };
        ObjectMeta { owner_references: Some(vec![reference]), ..Default::default() }
    }

    #[test]
    fn a_child_is_known_by_the_uid_of_its_owner() {
        let judge = |metadata: &ObjectMeta| owner().judge(metadata, Lifetime::Instance);
        assert_eq!(judge(&owned_by("1", "web")), Belongs::Ours);
        assert_eq!(judge(&owned_by("0", "web")), Belongs::Predecessors);
        assert_eq!(judge(&owned_by("0", "shop")), Belongs::Others);
        let labelled = ObjectMeta { labels: Some(labels::all("web", "server")), ..Default::default() };
        assert_eq!(judge(&labelled), Belongs::Others);
    }

    /// After a deletion with the policy `Orphan`, or an edit by hand.
    #[test]
    fn a_child_that_lost_its_owner_is_known_by_the_uid_in_its_label() {
        let judge = |metadata: &ObjectMeta| owner().judge(metadata, Lifetime::Instance);
        let labelled = |name: &str, uid: &str| {
            let mut set = labels::all(name, "server");
            set.insert(labels::OWNER_UID.into(), uid.into());
            ObjectMeta { labels: Some(set), ..Default::default() }
        };
        assert_eq!(judge(&labelled("web", "1")), Belongs::Ours);
        assert_eq!(judge(&labelled("web", "0")), Belongs::Predecessors);
        assert_eq!(judge(&labelled("shop", "0")), Belongs::Others);
        let adopted = ObjectMeta { labels: labelled("web", "1").labels, ..owned_by("7", "shop") };
        assert_eq!((judge(&adopted), orphaned_by(&adopted)), (Belongs::Others, None), "it has another owner");
    }

    #[test]
    fn data_is_known_by_all_its_marks() {
        let judge = |metadata: &ObjectMeta| owner().judge(metadata, Lifetime::Data);
        let marked = ObjectMeta { labels: Some(labels::all("web", "server")), ..Default::default() };
        assert_eq!(judge(&marked), Belongs::Ours);
        assert_eq!(judge(&ObjectMeta::default()), Belongs::Others);
        let owned = ObjectMeta { labels: marked.labels, ..owned_by("0", "shop") };
        assert_eq!(judge(&owned), Belongs::Others);
    }
}
