//! Values of settings for blobs.

use url::Url;

use super::Codec;
use crate::choice::{BlobStoreType, RedirectKind, S3Checksum};

pub(crate) const BLOBSTORE_TYPE: Codec<BlobStoreType> = Codec::new(
    "disk or s3",
    |text| match text {
        "disk" => Ok(BlobStoreType::Disk),
        "s3" => Ok(BlobStoreType::S3),
        _ => Err("is not a kind of blob store".into()),
    },
    |kind| match kind {
        BlobStoreType::Disk => "disk".into(),
        BlobStoreType::S3 => "s3".into(),
    },
);

pub(crate) const S3_CHECKSUM: Codec<S3Checksum> = Codec::new(
    "when_supported or when_required",
    |text| match text {
        "when_supported" => Ok(S3Checksum::WhenSupported),
        "when_required" => Ok(S3Checksum::WhenRequired),
        _ => Err("is not a checksum mode".into()),
    },
    |checksum| match checksum {
        S3Checksum::WhenSupported => "when_supported".into(),
        S3Checksum::WhenRequired => "when_required".into(),
    },
);

pub(crate) const REDIRECT: Codec<RedirectKind> = Codec::new(
    "off, presigned or cdn",
    |text| match text {
        "off" => Ok(RedirectKind::Off),
        "presigned" => Ok(RedirectKind::Presigned),
        "cdn" => Ok(RedirectKind::Cdn),
        _ => Err("is not a kind of redirect".into()),
    },
    |kind| match kind {
        RedirectKind::Off => "off".into(),
        RedirectKind::Presigned => "presigned".into(),
        RedirectKind::Cdn => "cdn".into(),
    },
);

pub(crate) const CDN_PATTERN: Codec<String> = Codec::new(
    "an http or https URL that contains {did} and {cid}: https://cdn.example.com/{did}/{cid}",
    |text| {
        if !["{did}", "{cid}"].iter().all(|part| text.matches(part).count() == 1) {
            return Err("does not contain {did} and {cid} once each".into());
        }
        let example = text.replace("{did}", "did:plc:a").replace("{cid}", "b");
        match Url::parse(&example) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text.to_owned()),
            _ => Err("is not an http or https URL".into()),
        }
    },
    String::clone,
);
