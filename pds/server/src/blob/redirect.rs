//! Sending those who read a blob to a link into the bucket, or to a CDN.
//!
//! Decides nothing about who may read what: that was decided before. A CDN fetches from this server like everybody else, so
//! that what is taken down ends there too, when the CDN's copy does.

use std::time::Duration;

use pds_blobstore::{BlobKey, Link};
use pds_config::Redirect;
use pds_store::blob::Blob;
use pds_syntax::Did;
use url::form_urlencoded::byte_serialize;

use super::disposition;
use crate::app::App;

/// How long a link into the bucket is good.
const LINK_VALID: Duration = Duration::from_secs(5 * 60);

/// Where to send a client.
#[derive(Debug)]
pub struct Target {
    /// The URL.
    pub url: String,
    /// How long the client may remember it: the answer's `Cache-Control`.
    pub cache_control: &'static str,
}

/// Where a blob that everybody may read is to be fetched from, if not from here.
///
/// # Errors
/// When the link cannot be signed: workload identity gives no keys, for example.
pub async fn redirect(
    app: &App,
    did: &Did,
    blob: &Blob,
    key: &BlobKey,
) -> Result<Option<Target>, pds_blobstore::Error> {
    match &app.settings.blob.redirect {
        Redirect::Off => Ok(None),
        Redirect::Presigned => {
            let link = Link {
                content_type: &blob.mime,
                content_disposition: &disposition(&blob.cid),
                cache_control: "private, max-age=300",
                valid: LINK_VALID,
            };
            let url = app.blobs.link(key, &link).await?;
            Ok(url.map(|url| Target { url: url.into(), cache_control: "no-store" }))
        }
        Redirect::Cdn { pattern } => {
            let did: String = byte_serialize(did.as_str().as_bytes()).collect();
            let url = pattern.replace("{did}", &did).replace("{cid}", &blob.cid.to_string());
            Ok(Some(Target { url, cache_control: "private, max-age=300" }))
        }
    }
}
