//! An SMTP server.

use std::{fmt, time::Duration};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        PoolConfig,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use pds_config::{CaBundle, SmtpTls, SmtpUrl};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::template::Rendered;

/// How long the server may take for one command.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections at the same time, and how long an unused one is kept.
pub(super) const CONNECTIONS: u32 = 4;
const KEPT: Duration = Duration::from_secs(30);

/// Why a transport cannot be used, or a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The sender is no address.
    #[error("the sender {0:?} is no address")]
    Sender(String, #[source] lettre::address::AddressError),
    /// A certificate cannot be used.
    #[error("prepare TLS for the SMTP server")]
    Tls(#[source] lettre::transport::smtp::Error),
    /// The recipient is no address.
    #[error("the recipient's address cannot be used")]
    Recipient,
    /// The mail could not be put together.
    #[error("put a mail together")]
    Message(#[source] lettre::error::Error),
    /// The server refused something. Its text is not shown, because it often repeats the address.
    #[error("the SMTP server answered {0}")]
    Answer(u16),
    /// The server took the connection and does not answer commands.
    #[error("the SMTP server answers no command")]
    Silent,
    /// The server could not be reached, or the connection failed.
    #[error("use the connection to the SMTP server")]
    Connection(#[source] lettre::transport::smtp::Error),
}

impl TransportError {
    /// Whether trying again is of no use: the server refuses the recipient or the mail, not this sender's credentials.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Recipient | Self::Message(_) => true,
            // 530 to 538 are about authentication and TLS, 500 to 504 about commands: settings that somebody will correct.
            Self::Answer(code) => (550..600).contains(code),
            Self::Sender(..) | Self::Tls(_) | Self::Connection(_) | Self::Silent => false,
        }
    }
}

/// Sends mails to one server, from one sender. Cheap to clone.
#[derive(Clone)]
pub struct Transport {
    smtp: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// This server's name.
    host: String,
}

impl Transport {
    /// For a server, a sender and this server's name. Trusts the authorities of the system and those of `ca_bundle`. Does not connect yet.
    ///
    /// # Errors
    /// When the sender or a certificate cannot be used.
    pub fn new(url: &SmtpUrl, from: &str, host: &str, ca_bundle: Option<&CaBundle>) -> Result<Self, TransportError> {
        let mut tls = TlsParameters::builder(url.host.clone());
        if let Some(bundle) = ca_bundle {
            let certificates = Certificate::from_pem(bundle.pem().as_bytes()).map_err(TransportError::Tls)?;
            tls = tls.add_root_certificate(certificates);
        }
        let tls = || tls.build_rustls().map_err(TransportError::Tls);
        let tls = match url.tls {
            SmtpTls::Implicit => Tls::Wrapper(tls()?),
            SmtpTls::Required => Tls::Required(tls()?),
            SmtpTls::Opportunistic => Tls::Opportunistic(tls()?),
            SmtpTls::Never => Tls::None,
        };
        let mut smtp = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(url.host.clone())
            .port(url.port)
            .tls(tls)
            .hello_name(ClientId::Domain(host.to_owned()))
            .timeout(Some(PATIENCE))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS).idle_timeout(KEPT));
        if let Some(credentials) = &url.credentials {
            let password = credentials.password.expose_secret().to_owned();
            smtp = smtp.credentials(Credentials::new(credentials.user.clone(), password));
        }
        let from = from.parse().map_err(|error| TransportError::Sender(from.to_owned(), error))?;
        Ok(Self { smtp: smtp.build(), from, host: host.to_owned() })
    }

    /// Connects, greets the server and signs in, without sending anything.
    ///
    /// # Errors
    /// When the server cannot be used.
    pub async fn check(&self) -> Result<(), TransportError> {
        match self.smtp.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(TransportError::Silent),
            Err(error) => Err(failure(error)),
        }
    }

    pub(super) async fn send(&self, to: &str, mail: Rendered) -> Result<(), TransportError> {
        let to: Address = to.parse().map_err(|_| TransportError::Recipient)?;
        let Rendered { subject, text, html } = mail;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(format!("<{}@{}>", Uuid::new_v4(), self.host)))
            // Answers of machines to mails of machines are of no use to anybody.
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(text, html))
            .map_err(TransportError::Message)?;
        self.smtp.send(message).await.map(drop).map_err(failure)
    }
}

fn failure(error: lettre::transport::smtp::Error) -> TransportError {
    match error.status() {
        Some(code) => TransportError::Answer(code.into()),
        None => TransportError::Connection(error),
    }
}

/// The header `Auto-Submitted` of RFC 3834.
#[derive(Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transport(from {})", self.from)
    }
}
