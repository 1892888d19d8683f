//! Codings of answers that this server may have to read.

use axum::http::{HeaderValue, StatusCode};

use crate::xrpc::{Result, XrpcError};

/// Codings that this server can undo, best first.
const COMPRESSED: [&str; 3] = ["gzip", "deflate", "identity"];
const UNCOMPRESSED: [&str; 3] = ["identity", "gzip", "deflate"];

/// The header `Accept-Encoding` to the service: what both the client and this server understand.
///
/// # Errors
/// When the client accepts nothing that this server understands.
pub(super) fn negotiated(accepted: Option<&HeaderValue>, prefer_compressed: bool) -> Result<HeaderValue> {
    let accepted = accepted.and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    let quality = |name: &str| {
        let items = accepted.split(',').map(|item| {
            let (coding, quality) = item.split_once(';').unwrap_or((item, ""));
            (
                coding.trim(),
                quality.trim().strip_prefix("q=").map_or(1.0, |quality| quality.parse::<f32>().unwrap_or(0.0)),
            )
        });
        let of = |wanted: &str| {
            items.clone().find(|(coding, _)| coding.eq_ignore_ascii_case(wanted)).map(|(_, quality)| quality)
        };
        of(name).or_else(|| of("*"))
    };
    let preferred = if prefer_compressed { COMPRESSED } else { UNCOMPRESSED };
    // Without a word about it, only the bare form is acceptable.
    let common =
        preferred.into_iter().filter(|name| quality(name).map_or(*name == "identity", |quality| quality > 0.0));
    let weights = ["1", "0.5", "0.1"];
    let mut text = common.zip(weights).map(|(name, weight)| format!("{name};q={weight}")).collect::<Vec<_>>();
    if text.is_empty() {
        return Err(XrpcError::new(
            StatusCode::NOT_ACCEPTABLE,
            "NotAcceptable",
            "this service does not support any of the requested encodings",
        ));
    }
    if !text.iter().any(|part| part.starts_with("identity")) {
        text.push("*;q=0".to_owned());
    }
    Ok(HeaderValue::from_str(&text.join(",")).unwrap_or_else(|_| HeaderValue::from_static("identity")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(accepted: &'static str, prefer_compressed: bool) -> String {
        let accepted = HeaderValue::from_static(accepted);
        let accepted = Some(&accepted).filter(|accepted| !accepted.is_empty());
        negotiated(accepted, prefer_compressed)
            .map_or_else(|error| error.message, |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_service_is_asked_for_what_client_and_server_understand() {
        assert_eq!(header("", false), "identity;q=1");
        assert_eq!(header("gzip, deflate, br, zstd", false), "identity;q=1,gzip;q=0.5,deflate;q=0.1");
        assert_eq!(header("gzip, deflate, br, zstd", true), "gzip;q=1,deflate;q=0.5,identity;q=0.1");
        assert_eq!(header("br", true), "identity;q=1");
        assert_eq!(header("*", false), "identity;q=1,gzip;q=0.5,deflate;q=0.1");
        assert_eq!(header("GZIP;q=0.5, identity;q=0", false), "gzip;q=1,*;q=0");
        assert!(header("br, identity;q=0", false).contains("does not support any"));
    }
}
