//! `pds import-reference`: takes over the data directory of the reference implementation. What is taken over, and how, is in [`crate::adoption`].

mod bucket;
mod env_file;
mod fits;

use std::{
    collections::BTreeSet,
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use pds_config::{RotationKey, Secrets, var};
use pds_crypto::{SigningKey, seal::SealKey};
use pds_store::{Options, account};
use pds_syntax::Did;
use secrecy::ExposeSecret;

use super::{
    failure::{self, Refusal},
    log, owner,
    serve::prepare_schema,
    settings,
};
use crate::{
    adoption::{Adoption, BlobSource, Parts, State, Step, Totals},
    clock::SystemClock,
    outside::{open_blob_store, rotation_key},
    report::chain,
};
use env_file::EnvFile;
use fits::RotationKeys;

/// The settings of the reference.
const ENV_FILE: &str = "pds.env";
/// Maximum size of that file, in bytes.
const ENV_FILE_BYTES: u64 = 1 << 20;
/// How often progress is printed.
const PRINT: Duration = Duration::from_secs(2);

/// What to import.
#[derive(Debug, Args)]
pub(super) struct ImportReference {
    /// The data directory of the reference, which must not be running: `/pds` of the official installation, or a copy.
    directory: PathBuf,
    /// Folder with the blobs, if they are not in the folder or bucket that DIRECTORY/pds.env names: a folder for each DID, with a file for each CID.
    #[arg(long, value_name = "FOLDER")]
    blobs: Option<PathBuf>,
    /// An account that is not to be imported, because its data is damaged. May be given more than once.
    #[arg(long, value_name = "DID")]
    leave_out: Vec<Did>,
}

/// Checks everything, then imports what the database does not have yet.
pub(super) async fn run(command: ImportReference) -> anyhow::Result<()> {
    let (settings, secrets, made) = settings::load()?;
    log::start(&settings.log, None)?;
    let directory = &command.directory;
    if !directory.is_dir() {
        bail!("{} is not a directory", directory.display());
    }
    let file = directory.join(ENV_FILE);
    let theirs = read(&file)?;
    let (key, ca_bundle) = (&secrets.plc_rotation_key, secrets.ca_bundle.as_ref());
    let ours = rotation_key(key, ca_bundle).await.map_err(failure::of_rotation_key)?.did_key();
    let found = match &theirs {
        Some(theirs) => {
            let is_set = |name: &str| [name, &format!("{name}_FILE")].iter().any(|name| env::var_os(name).is_some());
            let rotation = rotation_keys(theirs, &secrets, ours).await?;
            fits::compare(theirs, &file.display().to_string(), &settings, &secrets, &rotation, is_set)
        }
        None => fits::Found {
            notes: vec![format!(
                "{} is missing: nothing shows whether the host name and the keys of this server are those of the data; sessions are not taken over",
                file.display()
            )],
            ..fits::Found::default()
        },
    };
    if !found.problems.is_empty() {
        return Err(Refusal::OtherSettings { problems: found.problems.join("\n") }.into());
    }
    for note in &found.notes {
        say(note);
    }
    let theirs = theirs.unwrap_or_else(|| EnvFile::parse(""));
    let bucket = match command.blobs {
        Some(_) => None,
        None => bucket::open(&theirs, &file.display().to_string(), secrets.ca_bundle.as_ref()).await?,
    };
    let folder = theirs.folder(directory, command.blobs.as_deref());

    let options = Options {
        max_connections: 4,
        acquire_timeout: settings.database.connect_timeout,
        application_name: "pds import-reference".to_owned(),
        ca_bundle: secrets.ca_bundle.as_ref().map(|bundle| bundle.pem().to_owned()),
        ..Options::default()
    };
    let db = settings::connect(&secrets.database, &options).await?;
    let keys = secrets.data_keys();
    owner::check(&db, &secrets.database, &keys).await?;
    prepare_schema(&db).await?;
    let adoption = Adoption::check(Parts {
        db: db.clone(),
        blobs: open_blob_store(&settings, &secrets).await.context("open the blob store")?,
        seal: SealKey::from_hex(secrets.key_encryption_key.expose_secret()).context("key encryption key")?,
        clock: Arc::new(SystemClock),
        folder,
        blob_source: bucket.map_or(BlobSource::Folder, BlobSource::Bucket),
        window: settings.sync.backfill_limit,
        with_sessions: found.with_sessions,
        left_out: command.leave_out.into_iter().collect::<BTreeSet<_>>(),
    })
    .await?;
    if adoption.may_be_in_use() {
        say("this program may not look for locks in the directory: make sure that the reference is not running");
    }
    if let Some(made) = made {
        made.keep(account::count(&db).await.context("count the accounts")?)?;
    }
    owner::claim(&db, &secrets.database, &keys).await?;
    match adoption.state() {
        State::New => {}
        State::Begun => say("an earlier import of this directory has not ended: going on with it"),
        State::Ended => {
            say("this directory was imported before: there is nothing to do");
            return Ok(());
        }
    }
    for left in adoption.left_behind().await? {
        say(&format!("not taken over: {left}"));
    }
    let totals = adopt(&adoption).await?;
    db.close().await;
    if totals.refused > 0 {
        bail!(
            "{} of {} accounts were not imported, for the reasons above: mend them and run the same command again, or go on without them \
             (--leave-out DID); until then `pds serve` does not start",
            totals.refused,
            totals.accounts
        );
    }
    say(&format!("done: {}", text(&totals)));
    Ok(())
}

/// The rotation keys of both. A key in the reference's settings that is no key counts as none.
async fn rotation_keys(theirs: &EnvFile, secrets: &Secrets, ours: String) -> anyhow::Result<RotationKeys> {
    let ca_bundle = secrets.ca_bundle.as_ref();
    let theirs = match (theirs.get(var::PLC_ROTATION_KEY), theirs.get(var::PLC_ROTATION_KEY_KMS_KEY_ID)) {
        (Some(key), _) => SigningKey::from_hex(key).ok().map(|key| key.did_key()),
        (None, Some(id)) => {
            let named = || format!("{} {id:?} of the reference", var::PLC_ROTATION_KEY_KMS_KEY_ID);
            let key = RotationKey::Kms(id.parse().with_context(named)?);
            Some(rotation_key(&key, ca_bundle).await.with_context(named)?.did_key())
        }
        (None, None) => None,
    };
    Ok(RotationKeys { ours, theirs })
}

async fn adopt(adoption: &Adoption) -> anyhow::Result<Totals> {
    let mut printed = Instant::now();
    let mut on = |step: Step<'_>, totals: &Totals| match step {
        Step::Progress if printed.elapsed() >= PRINT => {
            printed = Instant::now();
            say(&text(totals));
        }
        Step::Progress => {}
        Step::Refused { did, reason } => say(&format!("{did} was not imported: {}", chain(reason))),
        Step::Lost { did, cid, reason } => say(&format!("blob {cid} of {did} was not imported: {reason}")),
    };
    let totals = adoption.run(&mut on).await?;
    Ok(totals)
}

fn text(totals: &Totals) -> String {
    let Totals { accounts, adopted, verified, refused, left_out, blobs, bytes, lost, events } = totals;
    let handled = adopted + verified + refused + left_out;
    format!(
        "{handled} of {accounts} accounts ({adopted} imported, {verified} imported before and verified, {refused} refused, {left_out} left out), \
         {blobs} blobs ({} MB, {lost} lost), {events} events",
        bytes / 1_000_000
    )
}

fn read(file: &Path) -> anyhow::Result<Option<EnvFile>> {
    let named = || format!("read {}", file.display());
    let size = match fs::metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found.with_context(named)?.len(),
    };
    if size > ENV_FILE_BYTES {
        bail!("{} has {size} bytes; allowed: at most {ENV_FILE_BYTES}", file.display());
    }
    Ok(Some(EnvFile::parse(&fs::read_to_string(file).with_context(named)?)))
}

#[expect(clippy::print_stderr, reason = "an operator who waits for the end sees the progress as it is")]
fn say(line: &str) {
    eprintln!("pds: {line}");
}
