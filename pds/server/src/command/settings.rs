//! Settings from the environment, and secrets that a single host makes for itself.

use std::{collections::BTreeMap, env, fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::{Context, anyhow};
use pds_config::{Errors, Secrets, Settings, secrets::local as secrets, unknown_names};
use secrecy::{ExposeSecret, SecretString};

fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn refuse(errors: Errors) -> anyhow::Error {
    anyhow!("the settings are not valid:\n{errors}")
}

/// Settings and secrets for a server. On SQLite missing secrets are made once and kept in the data directory.
pub(super) fn load() -> anyhow::Result<(Settings, Secrets)> {
    let kept = match secrets::file(variable) {
        Some(file) => kept_secrets(&file)?,
        None => BTreeMap::new(),
    };
    let lookup = |name: &str| variable(name).or_else(|| kept.get(name).map(|value| value.expose_secret().to_owned()));
    Settings::from_env(lookup).map_err(refuse)
}

/// Logs variables that look like settings and are none.
pub(super) fn warn_of_unknown() {
    for unknown in unknown_names(env::vars().map(|(name, _)| name)) {
        let hint = unknown.nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        tracing::warn!("{} is set, but there is no such setting{hint}", unknown.name);
    }
}

/// `pds check-config`.
pub(super) fn check() -> anyhow::Result<()> {
    Settings::from_env(variable).map(drop).map_err(refuse)
}

/// The secrets in `file`, after adding those that are neither there nor in the environment.
fn kept_secrets(file: &Path) -> anyhow::Result<BTreeMap<String, SecretString>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    let mut kept =
        secrets::parse(&text).map_err(|line| anyhow!("{}: line {line} is not NAME=value", file.display()))?;
    let missing = secrets::generate_missing(
        |name| variable(name).or_else(|| kept.get(name).map(|value| value.expose_secret().to_owned())),
        |bytes| rand::fill(bytes),
    );
    if missing.is_empty() {
        return Ok(kept);
    }
    kept.extend(missing.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let folder = file.parent().context("the secrets file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    // Written beside and renamed: a crash leaves the old file or the new one, never half of one.
    let part = file.with_extension("part");
    let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    out.write_all(secrets::render(&kept).as_bytes())?;
    out.sync_all()?;
    fs::rename(&part, file).with_context(|| format!("write {}", file.display()))?;
    Ok(kept)
}
