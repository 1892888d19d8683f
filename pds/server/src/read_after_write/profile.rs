//! Profiles.

use serde_json::{Map, Value};

use super::{Local, Malformed, Viewer};

impl Viewer<'_> {
    /// The short form of a profile, with what the record says now.
    pub(super) fn update_basic(&self, view: &mut Value, record: &Value) -> Result<(), Malformed> {
        let view = view.as_object_mut().ok_or(Malformed)?;
        set(view, "displayName", record.get("displayName").cloned());
        set(view, "avatar", record.get("avatar").map(|avatar| self.image("avatar", avatar)).transpose()?);
        Ok(())
    }

    /// The long form of a profile, with what the record says now.
    fn update_detailed(&self, view: &mut Value, record: &Value) -> Result<(), Malformed> {
        self.update_basic(view, record)?;
        let view = view.as_object_mut().ok_or(Malformed)?;
        set(view, "description", record.get("description").cloned());
        set(view, "banner", record.get("banner").map(|banner| self.image("banner", banner)).transpose()?);
        Ok(())
    }

    /// The answer of `getProfile`.
    pub(super) fn profile(&self, original: &mut Value, local: &Local) -> Result<(), Malformed> {
        match &local.profile {
            Some(profile) if original["did"] == self.did => self.update_detailed(original, &profile.value),
            _ => Ok(()),
        }
    }

    /// The answer of `getProfiles`.
    pub(super) fn profiles(&self, original: &mut Value, local: &Local) -> Result<(), Malformed> {
        let profiles = original["profiles"].as_array_mut().ok_or(Malformed)?;
        profiles.iter_mut().try_for_each(|profile| self.profile(profile, local))
    }
}

fn set(view: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => _ = view.insert(name.to_owned(), value),
        None => _ = view.shift_remove(name),
    }
}
