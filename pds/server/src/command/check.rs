//! `pds config check`: everything about the settings that can be known without a network.

use std::io::{Write, stdout};

use anyhow::Context;
use axum_server::tls_rustls::RustlsConfig;
use pds_config::{Errors, Problem, Secrets, Settings, var};

use super::{failure::Refusal, log, settings};
use crate::outside::{templates, transports};

/// Reads the settings as `pds serve` does and reports every problem at once. Writes nothing: secrets that a start would make are made up and forgotten.
pub(super) async fn check() -> anyhow::Result<()> {
    let (settings, secrets, mut problems) = settings::examine()?;
    problems.extend(in_files(&settings, secrets.as_ref()).await);
    let warnings: String = settings::idle().into_iter().map(|text| format!("warning: {text}\n")).collect();
    let verdict = if problems.is_empty() { "the settings are valid\n" } else { "" };
    let mut out = stdout().lock();
    out.write_all(format!("{warnings}{verdict}").as_bytes()).and_then(|()| out.flush()).context("write the result")?;
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Refusal::Settings(Errors(problems)).into()),
    }
}

/// Problems with what settings name, and with texts that libraries read. A start meets them one by one.
pub(super) async fn in_files(settings: &Settings, secrets: Option<&Secrets>) -> Vec<Problem> {
    let mut problems: Vec<_> = log::problem(&settings.log).into_iter().collect();
    let mut add = |variable, value: Option<String>, error: anyhow::Error| {
        problems.push(Problem { variable, value, message: format!("cannot be used: {error:#}") });
    };
    if let Err(error) = log::filter(&settings.log) {
        add(var::RUST_LOG, Some(settings.log.filter.clone()), error);
    }
    if let Err(error) = templates(settings) {
        let folder = settings.mail.templates.as_ref().map(|path| path.display().to_string());
        add(var::EMAIL_TEMPLATES_DIRECTORY, folder, error);
    }
    if let Some(Err(error)) = secrets.map(|secrets| transports(settings, secrets)) {
        add(var::EMAIL_SMTP_URL, None, error);
    }
    if let Some(tls) = &settings.service.tls
        && let Err(error) = RustlsConfig::from_pem_file(&tls.cert_file, &tls.key_file).await
    {
        let files = format!("{} with the key {}", tls.cert_file.display(), tls.key_file.display());
        add(var::TLS_CERT_FILE, Some(files), error.into());
    }
    problems
}
