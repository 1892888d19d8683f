//! Everything that this server has of an account, as one tar file that is made while it is read
//! ([ADR 42](../../../../../docs/adr/0042-an-export-is-one-tar-that-nobody-keeps.md)).
//!
//! First what takes no time, then the repository, then each blob, and last the manifest, which says what is missing: a file without it is not whole.
//! Nothing of the archive is kept: it takes a few pieces of memory however large it is.

mod contents;
mod tar;
mod write;

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use pds_store::account::Account;
use tokio::sync::mpsc;

use self::{
    contents::Contents,
    write::{AHEAD, Archive},
};
use crate::{
    actor::export,
    app::App,
    rate_limit::Client,
    task::pieces,
    xrpc::{Result, XrpcError},
};

/// The media type of tar files.
const TAR: &str = "application/x-tar";

/// An answer with the archive of an account. It counts as an export of a repository until the repository is sent, and as a blob that is read
/// to its end.
///
/// # Errors
/// 503 if too many exports run or too many blobs are being read; or the repository cannot be loaded.
pub(super) async fn answer(app: &App, account: &Account, client: &Client) -> Result<Response> {
    let repository = app.actors.export_measured(account, &client.subject).await.map_err(|error| match error {
        export::Error::Busy => XrpcError::unavailable("Too many exports are running, try again", 5),
        export::Error::Load(error) => error.into(),
    })?;
    let busy = || XrpcError::unavailable("Too many blobs are being read, try again", 1);
    let reader = app.blob_readers.take(client, 1).ok_or_else(busy)?;
    let contents = Contents::of(app, account, &repository.head, repository.bytes).await?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let archive = Archive::new(sender, reader, app.clock.now_s());
    let app = app.clone();
    tokio::spawn(async move { contents.send(&app, repository, archive).await });
    let name = account.did.as_str().replace(':', "-");
    let headers = [
        (header::CONTENT_TYPE, TAR.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.tar\"")),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, Body::from_stream(pieces(receiver))).into_response())
}
