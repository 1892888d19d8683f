//! Which e-mail addresses are accepted.

use std::sync::LazyLock;

use pds_syntax::Handle;

/// Maximum length of an address in bytes. Source: RFC 5321.
pub const LONGEST: usize = 254;
/// Maximum length of the part before the `@`.
const LONGEST_LOCAL: usize = 64;

/// The domains of throw-away addresses, sorted.
static THROWAWAY: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let lines = include_str!("../../../data/throwaway-domains.txt").lines();
    lines.filter(|line| !line.starts_with('#')).collect()
});

/// The address has no valid form, or belongs to a service of throw-away addresses.
#[derive(Debug, thiserror::Error)]
#[error("This email address is not supported, please use a different email.")]
pub struct Unsupported;

/// An address as it is stored: in lower case.
///
/// # Errors
/// When it is not accepted.
pub fn check(text: &str) -> Result<String, Unsupported> {
    let (local, domain) = text.rsplit_once('@').ok_or(Unsupported)?;
    let plain =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@');
    // Whole words between the dots.
    let words = !local.split('.').any(str::is_empty);
    let is_short = text.len() <= LONGEST && local.len() <= LONGEST_LOCAL;
    // The mail library has to take it too, else it could never be sent to.
    let is_mailable = text.parse::<lettre::Address>().is_ok();
    if !is_short || !plain(local) || !words || domain.parse::<Handle>().is_err() || !is_mailable {
        return Err(Unsupported);
    }
    if is_throwaway(&domain.to_ascii_lowercase()) {
        return Err(Unsupported);
    }
    Ok(text.to_lowercase())
}

/// Whether the domain, or one that it is below, belongs to a service of throw-away addresses.
fn is_throwaway(domain: &str) -> bool {
    let parents = std::iter::successors(Some(domain), |domain| domain.split_once('.').map(|(_, parent)| parent));
    parents.into_iter().any(|domain| THROWAWAY.binary_search(&domain).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_people_are_accepted() {
        for text in ["alice@example.com", "a.b+tag@mail.example.co.uk", "o'neil@example.org", "x@xn--bcher-kva.example"]
        {
            assert!(check(text).is_ok(), "{text}");
        }
        assert_eq!(check("Alice@Example.COM").unwrap(), "alice@example.com");
    }

    #[test]
    fn the_list_is_sorted_and_has_no_domain_of_everybody() {
        assert!(THROWAWAY.is_sorted() && THROWAWAY.len() > 5_000);
        for domain in ["gmail.com", "example.com", "com", "proton.me"] {
            assert!(!is_throwaway(domain), "{domain}");
        }
    }

    /// The domains of throw-away addresses are those of a maintained list, with all below them.
    #[test]
    fn malformed_and_throw_away_addresses_are_not() {
        let long = format!("{}@example.com", "a".repeat(65));
        for text in [
            "",
            "alice",
            "@example.com",
            "alice@",
            "alice@localhost",
            "a b@example.com",
            "a..b@example.com",
            ".a@example.com",
            "a@b@example.com",
            "alice@example.com\n",
            "alice@-example.com",
            "alice@[127.0.0.1]",
            "\"a b\"@example.com",
            "x@mailinator.com",
            "x@sub.mailinator.com",
            "X@MAILINATOR.com",
            "x@guerrillamail.com",
            &long,
        ] {
            assert!(check(text).is_err(), "{text:?}");
        }
    }
}
