//! The answers to requests about e-mail that cannot be fulfilled.

use pds_store::Error as StoreError;

use crate::{account::email::Error, mail, xrpc::XrpcError};

impl From<Error> for XrpcError {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid => Self::named("InvalidToken", error.to_string()),
            Error::Expired => Self::named("ExpiredToken", error.to_string()),
            Error::CodeRequired => Self::named("TokenRequired", error.to_string()),
            Error::OtherAddress => Self::named("InvalidEmail", error.to_string()),
            Error::NoAccount => Self::named("AccountNotFound", error.to_string()),
            Error::NoAddress | Error::Unconfirmed => Self::invalid(error.to_string()),
            Error::Store(StoreError::EmailTaken) => {
                Self::invalid("This email address is already in use, please use a different email.")
            }
            Error::Store(error) | Error::Mail(mail::Error::Store(error)) => error.into(),
            Error::Mail(mail::Error::NotConfigured) => Self::named(
                "EmailNotConfigured",
                "This server cannot send e-mail. Its administrator can give you the code instead.",
            ),
            Error::Mail(mail::Error::Full) => Self::unavailable("Too many mails wait to be sent, try again", 60),
            error => Self::internal("queueing a mail", &error),
        }
    }
}
