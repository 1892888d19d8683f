//! The status that this process wrote last, for the time until a watch shows it.

use operator_api::{PdsInstance, PdsInstanceStatus};

/// A status as it was written last.
#[derive(Clone, Debug)]
pub struct Written {
    resource_version: Option<u64>,
    status: Option<PdsInstanceStatus>,
}

impl Written {
    /// The instance with this status, if the status is newer than the instance.
    pub(super) fn over(self, pds: &PdsInstance) -> Option<PdsInstance> {
        let is_newer = self.resource_version? > resource_version(pds)?;
        is_newer.then(|| PdsInstance { status: self.status, ..pds.clone() })
    }
}

impl From<PdsInstance> for Written {
    fn from(pds: PdsInstance) -> Self {
        Self { resource_version: resource_version(&pds), status: pds.status }
    }
}

fn resource_version(pds: &PdsInstance) -> Option<u64> {
    pds.metadata.resource_version.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_that_no_watch_has_shown_yet_is_known() {
        let pds = |version: &str, generation: i64| {
            let mut pds = PdsInstance::new("a", serde_json::from_value(json!({"hostname": "a.test"})).unwrap());
            pds.metadata.resource_version = Some(version.into());
            pds.status = Some(PdsInstanceStatus { observed_generation: Some(generation), ..Default::default() });
            pds
        };
        let newest = |shown: &PdsInstance| Written::from(pds("100", 2)).over(shown);
        assert_eq!(newest(&pds("99", 1)).unwrap().status, pds("100", 2).status);
        assert!(newest(&pds("100", 2)).is_none() && newest(&pds("101", 3)).is_none());
    }
}
