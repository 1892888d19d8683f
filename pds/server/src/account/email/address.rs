//! Which e-mail addresses are accepted.

use pds_syntax::Handle;

/// Maximum length of an address and of the part before the `@`, in bytes. Source: RFC 5321.
const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;

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
    // The domain alone: what stands before it has been checked, and the list's own rules for it are narrower than mail's.
    if !mailchecker::is_valid(&format!("somebody@{}", domain.to_ascii_lowercase())) {
        return Err(Unsupported);
    }
    Ok(text.to_lowercase())
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
