//! The URL of an SMTP server.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::percent::decode;

/// An SMTP server and the credentials for it. `Debug` shows only scheme, host and port.
#[derive(Clone)]
pub struct SmtpUrl {
    text: SecretString,
    /// Host name or IP address.
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub credentials: Option<SmtpCredentials>,
}

/// A user of an SMTP server.
#[derive(Clone, Debug)]
pub struct SmtpCredentials {
    pub user: String,
    pub password: SecretString,
}

/// When a connection to an SMTP server speaks TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SmtpTls {
    /// From its first byte.
    Implicit,
    /// After STARTTLS, which the server must offer.
    Required,
    /// After STARTTLS, if the server offers it.
    Opportunistic,
    Never,
}

impl SmtpUrl {
    /// The allowed form, for people.
    pub const FORM: &str = "smtps://user:password@host:port, or smtp:// for STARTTLS or none, with ?tls=required, ?tls=opportunistic or ?tls=none";

    /// # Errors
    /// What is wrong. [`SmtpUrl::FORM`] says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        let is_implicit = match url.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err("has a scheme that is neither smtp nor smtps".into()),
        };
        if url.query_pairs().any(|(name, _)| name == "sendmail") {
            return Err("asks for the program sendmail; this server speaks SMTP only".into());
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("has no host")?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err("has a path or a fragment".into());
        }
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => {
                Some(SmtpCredentials { user: decode(user)?, password: decode(password)?.into() })
            }
            _ => return Err("has a user or a password without the other".into()),
        };
        let mut asked = None;
        for (name, value) in url.query_pairs() {
            asked = Some(match (&*name, &*value) {
                ("tls", "required") | ("requireTLS", "true") => SmtpTls::Required,
                ("tls", "opportunistic") => SmtpTls::Opportunistic,
                ("tls", "none") | ("ignoreTLS", "true") => SmtpTls::Never,
                _ => return Err(format!("has the unknown parameter {name}")),
            });
        }
        let tls = match (is_implicit, asked) {
            (true, None | Some(SmtpTls::Required)) => SmtpTls::Implicit,
            (true, Some(_)) => return Err("asks for another kind of TLS than its scheme, smtps".into()),
            (false, Some(asked)) => asked,
            // Nobody between the two may make the server send its password in the clear.
            (false, None) if credentials.is_some() => SmtpTls::Required,
            (false, None) => SmtpTls::Opportunistic,
        };
        let port = url.port().unwrap_or(if is_implicit { 465 } else { 587 });
        Ok(Self { text: text.into(), host, port, tls, credentials })
    }

    /// The URL with its password. Never log it.
    pub(crate) fn expose(&self) -> String {
        self.text.expose_secret().to_owned()
    }
}

impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls == SmtpTls::Implicit { "smtps" } else { "smtp" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_decoded_and_protected() {
        let url = SmtpUrl::parse("smtp://user%40host:p%2Fa%25s%C3%A9@mail.example.com").unwrap();
        let credentials = url.credentials.as_ref().unwrap();
        assert_eq!((credentials.user.as_str(), credentials.password.expose_secret()), ("user@host", "p/a%sé"));
        assert_eq!((url.host.as_str(), url.port, url.tls), ("mail.example.com", 587, SmtpTls::Required));
        assert_eq!(format!("{url:?}"), "SmtpUrl(smtp://mail.example.com:587)");
        for (text, port, tls) in [
            ("smtps://resend:key@smtp.example.com", 465, SmtpTls::Implicit),
            ("smtps://resend:key@smtp.example.com:465/", 465, SmtpTls::Implicit),
            ("smtp://localhost:1025", 1025, SmtpTls::Opportunistic),
            ("smtp://u:p@relay:25?tls=none", 25, SmtpTls::Never),
            ("smtp://relay?requireTLS=true", 587, SmtpTls::Required),
        ] {
            let url = SmtpUrl::parse(text).unwrap();
            assert_eq!((url.port, url.tls), (port, tls), "{text}");
        }
        assert_eq!(SmtpUrl::parse("smtp://[::1]:25").unwrap().host, "::1");
    }

    #[test]
    fn what_would_be_understood_in_another_way_is_refused() {
        for (text, why) in [
            ("mail.example.com:25", "neither smtp nor smtps"),
            ("smtp:///?sendmail=true", "sendmail"),
            ("smtp://", "no host"),
            ("smtp://user@host", "without the other"),
            ("smtp://:secret@host", "without the other"),
            ("smtp://host/path", "path"),
            ("smtp://host?pool=true", "unknown parameter pool"),
            ("smtps://host?tls=none", "another kind of TLS"),
            ("smtp://u%0A:p@host", "control"),
            ("smtp://u%ff:p@host", "UTF-8"),
        ] {
            let refused = SmtpUrl::parse(text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
