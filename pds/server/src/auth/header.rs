//! The form of the header `Authorization`, whatever a method makes of it.

use axum::http::{HeaderMap, header};

use crate::xrpc::XrpcError;

/// Schemes of credentials that some method takes.
const SCHEMES: [&str; 3] = ["basic", "bearer", "dpop"];
/// Characters of an unknown scheme that are told.
const TOLD: usize = 32;

/// Refuses a header that is not a scheme and a credential, and schemes that no method takes.
///
/// # Errors
/// The words of the reference implementation.
pub(super) fn check(headers: &HeaderMap) -> Result<(), XrpcError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(()) };
    let parts = value.to_str().ok().and_then(|text| text.split_once(' '));
    match parts {
        Some((scheme, credential)) if !credential.contains(' ') => {
            if SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
                return Ok(());
            }
            let scheme: String = scheme.chars().take(TOLD).collect();
            Err(XrpcError::named("InvalidToken", format!("Unsupported authorization type: {scheme}")))
        }
        _ => Err(XrpcError::named("InvalidToken", "Malformed authorization header")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_known_scheme_and_one_credential() {
        let check = |text: &'static str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, text.parse().unwrap())]);
            check(&headers).map_err(|error| error.message)
        };
        for good in ["Bearer x", "bearer x", "DPoP x", "Basic eDp5"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for malformed in ["Bearer", "", "Bearer x y", "Bearer \u{e9} x"] {
            assert_eq!(check(malformed), Err("Malformed authorization header".into()), "{malformed}");
        }
        assert_eq!(check("Digest x"), Err("Unsupported authorization type: Digest".into()));
        assert!(super::check(&HeaderMap::new()).is_ok());
    }
}
