//! Senders and languages of mails, and what needs a confirmed address.

use super::{Codec, parse_list};
use crate::choice::NeedsEmail;
use crate::network::is_host_name;
use crate::smtp_url::SmtpUrl;

pub(crate) const SMTP_URL: Codec<SmtpUrl> =
    Codec { allowed: SmtpUrl::FORM, secret: true, parse: SmtpUrl::parse, render: SmtpUrl::expose };

pub(crate) const MAILBOX: Codec<String> = Codec::new(
    "an e-mail address, or a name and an address: Example <noreply@example.com>",
    |text| {
        let address = match text.split_once('<') {
            Some((_, rest)) => rest.strip_suffix('>').ok_or("has no > at its end")?,
            None => text,
        };
        let is_fit = address.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty()
                && !user.contains(|c: char| c.is_whitespace() || c.is_control())
                && is_host_name(&host.to_ascii_lowercase())
        });
        let is_line = !text.contains(char::is_control);
        if is_fit && is_line { Ok(text.to_owned()) } else { Err("is not an e-mail address".into()) }
    },
    String::clone,
);

pub(crate) const LANGUAGE: Codec<String> = Codec::new(
    "a language tag: en, pt-br",
    |text| {
        let is_fit = text.len() <= 35
            && text.split('-').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        if is_fit { Ok(text.to_ascii_lowercase()) } else { Err("is not a language tag".into()) }
    },
    String::clone,
);

pub(crate) const NEEDS_EMAIL: Codec<Vec<NeedsEmail>> = Codec::new(
    "a list of post, upload, invite; or none",
    |text| match text {
        "none" => Ok(Vec::new()),
        text => parse_list(text, |word| {
            NeedsEmail::ALL.into_iter().find(|known| known.word() == word).ok_or("is none of post, upload, invite")
        }),
    },
    |needs| match needs.as_slice() {
        [] => "none".into(),
        needs => needs.iter().map(|need| need.word()).collect::<Vec<_>>().join(","),
    },
);
