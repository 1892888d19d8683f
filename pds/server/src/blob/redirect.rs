//! Redirects of readers of a blob to a link into the bucket, or to a CDN.
//!
//! The caller has decided that the reader may read the blob. A CDN fetches blobs from this server, so a takedown takes effect there when its
//! copy expires.

use std::time::Duration;

use pds_blobstore::{BlobKey, Link};
use pds_config::Redirect;
use pds_store::blob::Blob;
use pds_syntax::Did;
use url::form_urlencoded::byte_serialize;

use super::{Blobs, disposition};

/// How long a link into the bucket is valid.
const LINK_VALID: Duration = Duration::from_secs(5 * 60);

/// The target of a redirect.
#[derive(Debug)]
pub struct Target {
    /// The URL.
    pub url: String,
    /// `Cache-Control` of the redirect: how long the client may use it.
    pub cache_control: &'static str,
}

impl Blobs {
    /// Where a blob that everybody may read is to be fetched, if not from this server.
    ///
    /// # Errors
    /// When the link cannot be signed, for example because workload identity provides no keys.
    pub async fn redirect(
        &self,
        did: &Did,
        blob: &Blob,
        key: &BlobKey,
    ) -> Result<Option<Target>, pds_blobstore::Error> {
        match &self.parts().settings.redirect {
            Redirect::Off => Ok(None),
            Redirect::Presigned => {
                let link = Link {
                    content_type: &blob.mime,
                    content_disposition: &disposition(&blob.cid),
                    cache_control: "private, max-age=300",
                    valid: LINK_VALID,
                };
                let url = self.store().link(key, &link).await?;
                Ok(url.map(|url| Target { url: url.into(), cache_control: "no-store" }))
            }
            Redirect::Cdn { pattern } => {
                let did: String = byte_serialize(did.as_str().as_bytes()).collect();
                let url = pattern.replace("{did}", &did).replace("{cid}", &blob.cid.to_string());
                Ok(Some(Target { url, cache_control: "private, max-age=300" }))
            }
        }
    }
}
