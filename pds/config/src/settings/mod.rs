//! The settings as values, grouped by subject.

mod blob;
mod identity;
mod invites;
mod jobs;
mod log;
mod mail;
mod rate_limits;
mod records;
mod rules;
mod service;
mod services;
mod storage;
mod traces;

use std::collections::BTreeMap;

pub use blob::{Blob, BlobStore, DiskStore, Redirect, S3Store};
pub use identity::Identity;
pub use invites::Invites;
pub use jobs::Jobs;
pub use log::Log;
pub use mail::Mail;
pub use rate_limits::{Limits, Rate, RateLimits};
pub use records::Records;
pub use service::{Contact, Import, Outbound, Service, Sync, Tls};
pub use services::{Proxying, RemoteService, Services};
pub use storage::Database;
pub use traces::Traces;

use crate::ca_bundle::CaBundle;
use crate::database_url::DatabaseUrl;
use crate::error::{Errors, Problem};
use crate::network::AllowRule;
use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::secrets::{DataKeys, Secrets};
use crate::table::{VARIABLES, setting};
use crate::variable::Fallback;

/// All settings except secrets. A clone copies everything; share it in an `Arc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub service: Service,
    pub identity: Identity,
    pub records: Records,
    pub database: Database,
    pub blob: Blob,
    /// Creating an account requires an invite code.
    pub invite_required: bool,
    pub invites: Invites,
    pub import: Import,
    pub contact: Contact,
    pub mail: Mail,
    pub rate_limits: RateLimits,
    pub limits: Limits,
    pub sync: Sync,
    pub outbound: Outbound,
    pub services: Services,
    pub proxying: Proxying,
    pub jobs: Jobs,
    pub log: Log,
    pub traces: Traces,
}

/// The settings of `pds migrate`.
#[derive(Debug, Clone)]
pub struct Migration {
    pub database: Database,
    pub url: DatabaseUrl,
    /// The keys that data depends on, if they are set.
    pub keys: Option<DataKeys>,
    pub ca_bundle: Option<CaBundle>,
}

impl Settings {
    /// Reads settings and secrets and checks them together.
    ///
    /// `lookup` returns the value of a variable, for example `std::env::var(name).ok()`. An empty value counts as not set. `NAME_FILE` names a
    /// file that contains the value of `NAME`.
    ///
    /// # Errors
    /// All problems at once. No message contains a secret.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<(Self, Secrets), Errors> {
        let mut reader = Reader::new(&lookup);
        let (settings, secrets) = Self::read_with_secrets(&mut reader);
        reader.finish(secrets.map(|secrets| (settings, secrets)))
    }

    /// Reads everything as [`Settings::from_env`] does. Returns the settings also if some are wrong, with defaults in place of those, so that a caller can check
    /// more and report all problems at once.
    #[must_use]
    pub fn examine(lookup: impl Fn(&str) -> Option<String>) -> (Self, Option<Secrets>, Vec<Problem>) {
        let mut reader = Reader::new(&lookup);
        let (settings, secrets) = Self::read_with_secrets(&mut reader);
        (settings, secrets, reader.into_problems())
    }

    /// Reads the settings without the secrets, to render them.
    ///
    /// # Errors
    /// All problems at once.
    pub fn from_values(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Errors> {
        let mut reader = Reader::new(&lookup);
        let settings = Self::read(&mut reader);
        reader.finish(Some(settings))
    }

    /// Reads only the settings of `pds migrate`. A migration needs no keys, but checks them if they are set.
    ///
    /// # Errors
    /// All problems at once. One of the two keys without the other is a problem.
    pub fn migration_from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Migration, Errors> {
        let mut reader = Reader::new(&lookup);
        let database = Database::read(&mut reader);
        rules::check_database(&database, &mut reader);
        let data_directory = reader.value(&setting::DATA_DIRECTORY);
        let url = Secrets::read_database(&mut reader, &data_directory);
        let keys = DataKeys::read(&mut reader);
        let ca_file = reader.optional(&setting::CA_FILE);
        let ca_sha256 = reader.optional(&setting::CA_SHA256);
        let ca_bundle = Secrets::read_ca_bundle(&mut reader, ca_file.as_deref(), ca_sha256.as_deref());
        reader.finish(url.map(|url| Migration { database, url, keys, ca_bundle }))
    }

    /// The settings as variables, without secrets. Reading these variables gives the same settings.
    ///
    /// Leaves out values that equal the default, fixed or computed. A release with other defaults or with new settings therefore renders the
    /// same variables, and the operator does not restart the pods.
    #[must_use]
    pub fn render(&self) -> BTreeMap<&'static str, String> {
        let Self {
            service,
            identity,
            records,
            database,
            blob,
            invite_required,
            invites,
            import,
            contact,
            mail,
            rate_limits,
            limits,
            sync,
            outbound,
            services,
            proxying,
            jobs,
            log,
            traces,
        } = self;
        let mut out = Rendered::default();
        service.render(&mut out);
        identity.render(&mut out);
        records.render(&mut out);
        database.render(&mut out);
        blob.render(&mut out);
        out.put(&setting::INVITE_REQUIRED, invite_required);
        invites.render(&mut out);
        import.render(&mut out);
        contact.render(&mut out);
        mail.render(&mut out);
        rate_limits.render(&mut out);
        limits.render(&mut out);
        sync.render(&mut out);
        outbound.render(&mut out);
        services.render(&mut out);
        proxying.render(&mut out);
        jobs.render(&mut out);
        log.render(&mut out);
        traces.render(&mut out);
        self.without_defaults(out.0)
    }

    /// Leaves out each variable without which the other variables give the same settings.
    fn without_defaults(&self, mut rendered: BTreeMap<&'static str, String>) -> BTreeMap<&'static str, String> {
        let is_same = |rendered: &BTreeMap<&'static str, String>| {
            Self::from_values(|name| rendered.get(name).cloned()).as_ref() == Ok(self)
        };
        // Most have a fixed default. All of these together take one reading; the others take one each.
        let is_fixed = |name: &str, value: &str| {
            let declared = VARIABLES.iter().find(|variable| variable.name == name);
            declared.is_some_and(|variable| matches!(variable.default, Fallback::Value(fixed) if fixed == value))
        };
        let mut computed = rendered.clone();
        computed.retain(|name, value| !is_fixed(name, value));
        if is_same(&computed) {
            rendered = computed;
        }
        for name in rendered.keys().copied().collect::<Vec<_>>() {
            let Some(value) = rendered.remove(name) else { continue };
            if !is_same(&rendered) {
                rendered.insert(name, value);
            }
        }
        rendered
    }

    /// The destinations that may be reached although they are not public: `PDS_OUTBOUND_ALLOW` and, in development mode, loopback.
    #[must_use]
    pub fn outbound_allow(&self) -> Vec<AllowRule> {
        let loopback = ["127.0.0.0/8", "::1/128", "localhost"];
        let loopback = loopback.iter().filter(|_| self.service.dev_mode).filter_map(|rule| rule.parse().ok());
        self.outbound.allow.iter().cloned().chain(loopback).collect()
    }

    /// Reads every variable once. The secrets are `None` if one of them is missing or wrong.
    pub(crate) fn read_with_secrets(reader: &mut Reader<'_>) -> (Self, Option<Secrets>) {
        let settings = Self::read(reader);
        let Self { service, identity, blob, rate_limits, outbound, mail, .. } = &settings;
        let secrets = Secrets::read(
            reader,
            &service.data_directory,
            &blob.store,
            rate_limits,
            outbound,
            mail,
            identity.rotation_kms_key.as_ref(),
        );
        (settings, secrets)
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        reader.refuse_reference_settings();
        let service = Service::read(reader);
        let settings = Self {
            identity: Identity::read(reader, &service.hostname),
            records: Records::read(reader),
            database: Database::read(reader),
            blob: Blob::read(reader, &service.data_directory),
            invite_required: reader.value(&setting::INVITE_REQUIRED),
            invites: Invites::read(reader),
            import: Import::read(reader),
            contact: Contact::read(reader),
            mail: Mail::read(reader),
            rate_limits: RateLimits::read(reader, service.dev_mode),
            limits: Limits::read(reader),
            sync: Sync::read(reader),
            outbound: Outbound::read(reader),
            services: Services::read(reader),
            proxying: Proxying::read(reader, service.dev_mode),
            jobs: Jobs::read(reader),
            log: Log::read(reader),
            traces: Traces::read(reader),
            service,
        };
        rules::check(&settings.service, &settings.identity, &settings.database, reader);
        settings
    }
}
