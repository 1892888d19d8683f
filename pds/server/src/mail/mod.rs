//! Mails: templates, the queue in the database, and sending by SMTP.
//!
//! A mail is queued in the transaction of what it tells about, and sent afterwards by any replica ([`Mailer::send_due`]), again and again until the
//! server takes it or it is useless. It is sent at least once: a replica that dies after the server took a mail leaves it to another one. Until then
//! recipient and content are in the database, encrypted with the key that also encrypts the signing keys, because a mail may contain a code that
//! opens an account. A sent or useless mail is deleted at once. No code and no address is written to a log.

mod kind;
mod language;
mod mailer;
mod send;
mod template;
mod transport;

pub use kind::Kind;
pub use language::Languages;
pub use mailer::{Error, Mail, Mailer, Parts};
pub use template::{Templates, TemplatesError};
pub use transport::{Transport, TransportError};
