//! `pds doctor`: checks a host from its settings to its relays, and says what to do. Changes nothing but a probe object in the blob store, which it deletes.

mod database;
mod finding;
mod http;
mod outside;
mod public;
mod redis;
mod rotation_key;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use anyhow::bail;
use clap::{Args, ValueEnum};
use pds_blobstore::{BlobKey, BlobStore};
use pds_config::{Problem, Secrets, Settings, var};

use self::{
    finding::Finding,
    http::{Http, SystemNames},
};
use super::{admin::Output, check, settings};
use crate::{
    outside::{open_blob_store, roots, transports},
    report::chain,
};

/// How to print.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// How to print the findings.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON list, for programs.
    Json,
}

/// Checks everything and prints the findings. Fails if one of them is a failure.
pub(super) async fn run(doctor: Doctor) -> anyhow::Result<()> {
    let findings = examine().await?;
    let rows: Vec<_> = findings.iter().map(Finding::to_json).collect();
    match doctor.output {
        Format::Json => Output { json: true }.list(&rows, &[])?,
        Format::Text => Output { json: false }.lines(findings.iter().flat_map(Finding::lines))?,
    }
    match findings.iter().filter(|finding| finding.is_failure()).count() {
        0 => Ok(()),
        1 => bail!("1 check has failed"),
        count => bail!("{count} checks have failed"),
    }
}

async fn examine() -> anyhow::Result<Vec<Finding>> {
    let (settings, secrets, mut problems) = settings::examine()?;
    problems.extend(check::in_files(&settings, secrets.as_ref()).await);
    let mut findings: Vec<_> = problems.iter().map(of_problem).collect();
    findings.extend(
        settings::idle()
            .into_iter()
            .map(|text| Finding::warn("settings", text, "Remove the variable, or correct its name.")),
    );
    let Some(secrets) = secrets.filter(|_| problems.is_empty()) else {
        let advice = "Correct the settings first: nothing else was checked.";
        findings.push(Finding::fail("settings", "the server would not start with these settings", advice));
        return Ok(findings);
    };
    findings.push(Finding::ok("settings", "valid"));
    let http = Http::new(&roots(&secrets)?, Arc::new(SystemNames))?;
    let ((database, head), blobs, mail, redis, rotation_key, public) = tokio::join!(
        database::check(&settings, &secrets),
        blob_store(&settings, &secrets),
        mail(&settings, &secrets),
        redis::check(&settings, &secrets),
        rotation_key::check(&secrets),
        public::check(&settings, &http),
    );
    let outside = outside::check(&settings, &http, head).await;
    findings.extend([database, blobs, mail, redis, rotation_key, public, outside].into_iter().flatten());
    Ok(findings)
}

fn of_problem(problem: &Problem) -> Finding {
    Finding::fail(
        "settings",
        problem.to_string(),
        "Correct or remove the variable; docs/reference/configuration.md lists all.",
    )
}

/// Writes, reads and deletes an object.
async fn blob_store(settings: &Settings, secrets: &Secrets) -> Vec<Finding> {
    const NAME: &str = "blob store";
    let advice = match settings.blob.store {
        pds_config::BlobStore::Disk(_) => {
            "Make the directory writable for the user that runs pds, and check that its volume is not full."
        }
        pds_config::BlobStore::S3(_) => {
            "Check bucket, region, endpoint and credentials; docs/reference/s3.md lists the permissions that pds needs."
        }
    };
    let store = match open_blob_store(settings, secrets).await {
        Ok(store) => store,
        Err(error) => return vec![Finding::fail(NAME, format!("cannot be opened: {error:#}"), advice)],
    };
    match probe(&*store).await {
        Ok(()) => vec![Finding::ok(NAME, "an object was written, read and deleted")],
        Err(error) => vec![Finding::fail(NAME, error, advice)],
    }
}

async fn probe(store: &dyn BlobStore) -> Result<(), String> {
    const TEXT: &[u8] = b"pds doctor";
    let key = BlobKey::random();
    let failed = |doing: &str, error: pds_blobstore::Error| format!("an object cannot be {doing}: {}", chain(&error));
    store.put(&key, TEXT.into()).await.map_err(|error| failed("written", error))?;
    let read = async {
        let blob = store.get(&key, None).await?;
        blob.bytes().await
    };
    let read = read.await.map_err(|error| failed("read", error));
    store.delete(&key).await.map_err(|error| failed("deleted", error))?;
    match read?.as_ref() == TEXT {
        true => Ok(()),
        false => Err("an object that was read is not the one that was written".to_owned()),
    }
}

/// Signs in to the SMTP servers, and sends nothing.
async fn mail(settings: &Settings, secrets: &Secrets) -> Vec<Finding> {
    let (users, moderation) = match transports(settings, secrets) {
        Ok(found) => found,
        Err(error) => return vec![Finding::fail("mail", format!("{error:#}"), "Correct the setting.")],
    };
    let mut findings = Vec::new();
    if users.is_none() {
        let text = format!(
            "{} is not set: nobody can confirm an address or reset a password without an administrator",
            var::EMAIL_SMTP_URL
        );
        findings.push(Finding::warn("mail", text, "Set an SMTP server; docs/how-to/email.md shows how."));
    }
    for (variable, transport) in [(var::EMAIL_SMTP_URL, users), (var::MODERATION_EMAIL_SMTP_URL, moderation)] {
        let Some(transport) = transport else { continue };
        findings.push(match transport.check().await {
            Ok(()) => Finding::ok(
                "mail",
                format!("the server of {variable} takes connection and credentials; nothing was sent"),
            ),
            Err(error) => Finding::fail(
                "mail",
                format!("the server of {variable} cannot be used: {}", chain(&error)),
                "Check host, port, TLS mode, user and password; special characters are percent-encoded.",
            ),
        });
    }
    findings
}
