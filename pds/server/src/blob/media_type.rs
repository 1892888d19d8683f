//! The media type of a blob.

/// The media type that the first bytes show, unless the one that the client stated is a kind of it.
pub(super) fn media_type<'a>(head: &[u8], stated: &'a str) -> &'a str {
    let Some(seen) = infer::get(head).map(|kind| kind.mime_type()) else { return stated };
    let is_a = |families: &[&str]| families.iter().any(|end| stated.ends_with(end));
    let allows = match seen {
        "text/xml" => is_a(&["/xml", "+xml"]),
        "text/html" => is_a(&["/html", "+xml"]),
        "application/zip" => {
            is_a(&["+zip", "/zip"]) || stated.starts_with("application/vnd.") || is_a(&["/java-archive"])
        }
        "application/gzip" => is_a(&["/gzip", "/x-gzip", "+gzip", "/x-tar+gzip"]),
        // Containers of both.
        "video/mp4" => matches!(stated, "audio/mp4" | "audio/x-m4a" | "video/quicktime" | "application/mp4"),
        "video/webm" => stated == "audio/webm",
        "audio/ogg" => matches!(stated, "video/ogg" | "application/ogg"),
        "video/x-matroska" => matches!(stated, "video/webm" | "audio/webm" | "audio/x-matroska"),
        _ => false,
    };
    if allows { stated } else { seen }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F25
    #[test]
    fn the_stated_type_is_kept_if_the_bytes_allow_it() {
        let svg = br#"<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>"#;
        assert_eq!(media_type(svg, "image/svg+xml"), "image/svg+xml");
        assert_eq!(media_type(svg, "image/png"), "text/xml");
        let png = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0];
        assert_eq!(media_type(&png, "image/svg+xml"), "image/png");
        assert_eq!(media_type(b"plain words", "text/plain"), "text/plain");
        let zip = [b'P', b'K', 3, 4, 0, 0, 0, 0];
        assert_eq!(media_type(&zip, "application/epub+zip"), "application/epub+zip");
        assert_eq!(media_type(&zip, "image/jpeg"), "application/zip");
    }
}
