//! Settings from the environment, and secrets that a single host makes for itself.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use pds_config::{
    CaBundle, DatabaseUrl, Errors, Migration, Overruled, Problem, Secrets, Settings, ignored_names, overruled,
    secrets::local as secrets, unknown_names, var,
};
use pds_identity::Roots;
use pds_store::{Db, Options};
use secrecy::{ExposeSecret, SecretString};

use super::failure::Refusal;
use crate::report::chain;

fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn refuse(errors: Errors) -> anyhow::Error {
    Refusal::Settings(errors).into()
}

/// Settings and secrets for a server. On SQLite missing secrets are made once; [`Made::keep`] puts them into the data directory.
pub(super) fn load() -> anyhow::Result<(Settings, Secrets, Option<Made>)> {
    let Some(file) = secrets::file(variable) else {
        let (settings, secrets) = parse(&Kept::new())?;
        return Ok((settings, secrets, None));
    };
    let mut kept = read(&file)?;
    let names = add_missing(&mut kept);
    let (settings, secrets) = parse(&kept)?;
    // The database lies in the same folder unless it was put elsewhere, and comes first.
    let folder = file.parent().context("the secrets file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let made = (!names.is_empty()).then_some(Made { file, names, kept });
    Ok((settings, secrets, made))
}

/// What `pds migrate` needs. On SQLite the keys are those that a server has made.
pub(super) fn load_migration() -> anyhow::Result<Migration> {
    let kept = match secrets::file(variable) {
        Some(file) => read(&file)?,
        None => Kept::new(),
    };
    let migration = Settings::migration_from_env(|name| lookup(&kept, name)).map_err(refuse)?;
    check_certificates(migration.ca_bundle.as_ref())?;
    Ok(migration)
}

/// Opens the database.
pub(super) async fn connect(url: &DatabaseUrl, options: &Options) -> anyhow::Result<Db> {
    let connected = Db::connect(&url.expose(), options).await;
    let db = connected.map_err(|error| match error {
        pds_store::Error::Url { reason } => anyhow::Error::from(Refusal::DatabaseUrl { reason }),
        error if error.is_login_refused() => {
            let named = format!("the server refused the user, the password or the database of {}", var::DATABASE_URL);
            anyhow::Error::from(error).context(named)
        }
        error => error.into(),
    });
    db.with_context(|| format!("connect to the database {url}"))
}

/// Secrets that this start has made and nobody else knows yet.
pub(super) struct Made {
    file: PathBuf,
    names: Vec<&'static str>,
    kept: Kept,
}

impl Made {
    /// Writes the new keys to the data directory. Refuses if the database has `accounts` and a key that they depend on was lost: no identity in the directory accepts a new one.
    pub(super) fn keep(self, accounts: i64) -> anyhow::Result<()> {
        match self.lost() {
            Some(lost) if accounts > 0 => Err(lost.into()),
            _ => write(&self.file, &self.kept),
        }
    }

    /// Whether the secret of this variable is new.
    pub(super) fn contains(&self, variable: &str) -> bool {
        self.names.contains(&variable)
    }

    /// The refusal that names the new keys among those that existing data depends on; `None` if there is none among them.
    pub(super) fn lost(&self) -> Option<Refusal> {
        let lost: Vec<_> = self.names.iter().filter(|name| secrets::IRREPLACEABLE.contains(name)).copied().collect();
        (!lost.is_empty()).then(|| Refusal::LostKeys { file: self.file.clone(), lost: lost.join(" and ") })
    }
}

/// Settings and secrets as a server would have them, and all that is wrong with them. Writes nothing: missing secrets are made up and forgotten.
pub(super) fn examine() -> anyhow::Result<(Settings, Option<Secrets>, Vec<Problem>)> {
    let mut kept = BTreeMap::new();
    if let Some(file) = secrets::file(variable) {
        kept = read(&file)?;
        add_missing(&mut kept);
    }
    let (settings, secrets, mut problems) = Settings::examine(|name| lookup(&kept, name));
    problems.extend(certificate_problem(secrets.as_ref().and_then(|secrets| secrets.ca_bundle.as_ref())));
    Ok((settings, secrets, problems))
}

/// Warns of environment variables without effect.
pub(super) fn warn_of_idle() {
    for text in idle() {
        tracing::warn!("{text}");
    }
}

/// Environment variables without effect, a sentence each: unknown names, names that another one replaces, and settings that only the reference
/// implementation has.
pub(super) fn idle() -> Vec<String> {
    let ignored = |other: Overruled| format!("{} is ignored because {} is set", other.name, other.by);
    let mut found: Vec<_> = overruled(variable).into_iter().map(ignored).collect();
    let names = || env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    found.extend(ignored_names(names()).into_iter().map(|setting| format!("{} {}", setting.name, setting.reason)));
    for unknown in unknown_names(names()) {
        let hint = unknown.nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        found.push(format!("{} is set, but there is no such setting{hint}", unknown.name));
    }
    found
}

type Kept = BTreeMap<String, SecretString>;

/// A secret from the environment, else from the data directory.
fn lookup(kept: &Kept, name: &str) -> Option<String> {
    variable(name).or_else(|| kept.get(name).map(|value| value.expose_secret().to_owned()))
}

fn parse(kept: &Kept) -> anyhow::Result<(Settings, Secrets)> {
    let (settings, secrets) = Settings::from_env(|name| lookup(kept, name)).map_err(refuse)?;
    check_certificates(secrets.ca_bundle.as_ref())?;
    Ok((settings, secrets))
}

/// Libraries may panic about a certificate that they do not take.
fn check_certificates(bundle: Option<&CaBundle>) -> anyhow::Result<()> {
    certificate_problem(bundle).map_or(Ok(()), |problem| Err(refuse(Errors(vec![problem]))))
}

fn certificate_problem(bundle: Option<&CaBundle>) -> Option<Problem> {
    let error = Roots::with_pem(bundle?.pem()).err()?;
    let message = format!("has a certificate that cannot be used: {}", chain(&error));
    Some(Problem { variable: var::CA_FILE, value: variable(var::CA_FILE), message })
}

/// The secrets in `file`; none if there is no file.
fn read(file: &Path) -> anyhow::Result<Kept> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Kept::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    secrets::parse(&text).map_err(|line| anyhow!("{}: line {line} is not NAME=value", file.display()))
}

/// Adds the secrets that are neither in `kept` nor in the environment, and names them.
fn add_missing(kept: &mut Kept) -> Vec<&'static str> {
    let missing = secrets::generate_missing(|name| lookup(kept, name), |bytes| rand::fill(bytes));
    let names = missing.keys().copied().collect();
    kept.extend(missing.into_iter().map(|(name, value)| (name.to_owned(), value)));
    names
}

fn write(file: &Path, kept: &Kept) -> anyhow::Result<()> {
    let folder = file.parent().context("the secrets file has a folder")?;
    // Written beside and renamed: a crash leaves the old file or the new one, never half of one.
    let part = file.with_extension("part");
    let named = || format!("write {}", file.display());
    let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    out.write_all(secrets::render(kept).as_bytes()).with_context(named)?;
    out.sync_all().with_context(named)?;
    fs::rename(&part, file).with_context(named)?;
    // Accounts are made with these keys from now on: the name has to outlive a power cut too.
    fs::File::open(folder).and_then(|folder| folder.sync_all()).with_context(named)
}
