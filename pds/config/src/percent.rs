//! Percent-encoded texts inside of settings.

/// The decoded text. The error does not repeat the text, which may be a secret.
pub(crate) fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or("has a % without two hex digits")?;
        let digits = str::from_utf8(digits).map_err(|_| "has a % without two hex digits")?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| "has a % without two hex digits")?);
        rest = after;
    }
    let text = String::from_utf8(bytes).map_err(|_| "has a percent-encoded part that is not UTF-8")?;
    if text.contains(char::is_control) { Err("has a control character".into()) } else { Ok(text) }
}
