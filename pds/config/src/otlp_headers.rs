//! Headers in the form of `OTEL_EXPORTER_OTLP_HEADERS`.

use secrecy::SecretString;

use crate::percent::decode;

/// Names, in lower case, and values. The error must not repeat the text, which contains secrets.
pub(crate) fn parse_otlp_headers(text: &str) -> Result<Vec<(String, SecretString)>, String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(parse_item).collect()
}

fn parse_item(item: &str) -> Result<(String, SecretString), String> {
    let (name, value) = item.split_once('=').ok_or("contains an item without =")?;
    let name = name.trim().to_ascii_lowercase();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err("contains a name that is not the name of a header".into());
    }
    let value = decode(value.trim())?;
    if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err("contains a value with characters that headers cannot have".into());
    }
    Ok((name, SecretString::from(value)))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn names_and_decoded_values_are_read() {
        let headers = parse_otlp_headers("Authorization=Bearer%20a=b, x-tenant = c,").unwrap();
        let shown: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(shown, [("authorization", "Bearer a=b"), ("x-tenant", "c")]);
        for text in ["hunter2", "=hunter2", "a b=hunter2", "a=hunter2%0d", "a=%ff"] {
            assert!(!parse_otlp_headers(text).unwrap_err().contains("hunter2"), "{text}");
        }
    }
}
