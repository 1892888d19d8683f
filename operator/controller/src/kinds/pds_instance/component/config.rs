//! The settings of the PDS as variables of its pods, and the files that it reads as ConfigMaps: the class's certificates, rules for records,
//! templates of mails.
//!
//! Settings stand in the workload itself: a tenant may write ConfigMaps, and what the class says must bind. The certificates are too large
//! for that, so the pods are told the hash that the file must have. Rules for records and templates are the instance's own matter: those of
//! the class are defaults.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapVolumeSource, EnvVar, KeyToPath, Volume, VolumeMount};
use kube::ResourceExt;
use operator_api::{MailKind, MailTemplate};
use operator_runtime::hash;

use super::super::wanted::Wanted;
use super::name::{SERVER, TEMPLATES_FOLDER};
use super::part::metadata;
use super::pod;

/// The variables of all settings.
pub(super) fn env(wanted: &Wanted) -> impl Iterator<Item = EnvVar> {
    wanted.settings.iter().map(|(name, value)| pod::env(name, value))
}

/// The variables that tell of the certificates alone.
pub(super) fn ca_env(wanted: &Wanted) -> impl Iterator<Item = EnvVar> {
    let about_ca = |name: &str| matches!(name, "PDS_CA_FILE" | "PDS_CA_SHA256");
    wanted.settings.iter().filter(move |(name, _)| about_ca(name)).map(|(name, value)| pod::env(name, value))
}

/// Files that pods read, from a ConfigMap. The map is named by what it holds and never changed, so that pods start anew with another one.
pub(super) struct Files {
    volume: &'static str,
    folder: &'static str,
    pub(super) map: ConfigMap,
    /// Where each key of the map is in the folder, if not under its own name.
    items: Option<Vec<KeyToPath>>,
}

impl Files {
    fn new(
        wanted: &Wanted,
        (volume, folder): (&'static str, &'static str),
        data: BTreeMap<String, String>,
        items: Option<Vec<KeyToPath>>,
    ) -> Self {
        let name = format!("{}-config-{}", wanted.instance, hash::of(&data, 10));
        let map = ConfigMap {
            metadata: metadata(wanted, name, SERVER),
            immutable: Some(true),
            data: Some(data),
            ..Default::default()
        };
        Self { volume, folder, map, items }
    }

    pub(super) fn volume(&self) -> Volume {
        let name = self.map.name_any();
        let source = ConfigMapVolumeSource { name, items: self.items.clone(), ..Default::default() };
        Volume { name: self.volume.into(), config_map: Some(source), ..Default::default() }
    }

    pub(super) fn mount(&self) -> VolumeMount {
        pod::mount(self.volume, self.folder, true)
    }
}

/// All files of the server.
pub(super) fn files(wanted: &Wanted) -> Vec<Files> {
    [certificates(wanted), record_rules(wanted), templates(wanted)].into_iter().flatten().collect()
}

/// The certificates of the class.
pub(super) fn certificates(wanted: &Wanted) -> Option<Files> {
    let data = BTreeMap::from([("ca.crt".to_owned(), wanted.class.spec.ca_bundle.clone()?)]);
    Some(Files::new(wanted, ("ca", "/ca"), data, None))
}

/// The rules for records, as the PDS reads them.
fn record_rules(wanted: &Wanted) -> Option<Files> {
    let rules =
        serde_json::to_string_pretty(wanted.records.as_ref()?).expect("texts and numbers can be written as JSON");
    Some(Files::new(wanted, ("rules", "/rules"), BTreeMap::from([("records.json".to_owned(), rules)]), None))
}

/// The templates of mails: a folder for each language.
fn templates(wanted: &Wanted) -> Option<Files> {
    let (mut data, mut items) = (BTreeMap::new(), Vec::new());
    for MailTemplate { language, mail, text, html } in &wanted.templates {
        let files = [text.as_ref().map(|text| ("txt", text)), Some(("html", html))];
        for (extension, text) in files.into_iter().flatten() {
            let path = format!("{language}/{}.{extension}", mail_name(*mail));
            // A key has no slash, and a language no dot.
            let key = path.replace('/', ".");
            data.insert(key.clone(), text.clone());
            items.push(KeyToPath { key, path, mode: None });
        }
    }
    (!data.is_empty()).then(|| Files::new(wanted, ("templates", TEMPLATES_FOLDER), data, Some(items)))
}

/// The name of a template, without its extension.
fn mail_name(mail: MailKind) -> &'static str {
    match mail {
        MailKind::Layout => "layout",
        MailKind::ConfirmEmail => "confirm-email",
        MailKind::UpdateEmail => "update-email",
        MailKind::ResetPassword => "reset-password",
        MailKind::DeleteAccount => "delete-account",
        MailKind::PlcOperation => "plc-operation",
        MailKind::SignIn => "sign-in",
        MailKind::EmailChanged => "email-changed",
        MailKind::AccountDeleted => "account-deleted",
        MailKind::Moderation => "moderation",
    }
}
