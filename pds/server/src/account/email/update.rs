//! Confirming an address, replacing it, and the second factor.

use pds_store::{
    account::{self, Account},
    email_token::{self, Purpose},
};

use super::{Emails, Error, check};
use crate::mail::{Kind, Languages};

/// A change of what an account has by e-mail.
#[derive(Debug)]
pub struct AddressChange {
    /// The address, which may be the one that the account has; in lower case.
    pub email: String,
    /// Whether signing in with the password also needs a mailed code; `None` leaves it as it is.
    pub auth_factor: Option<bool>,
    /// A code that was mailed to the address that the account has.
    pub code: Option<String>,
}

impl Emails {
    /// Notes that the owner reads the account's address.
    ///
    /// # Errors
    /// [`Error::OtherAddress`] if `email` is not the account's address, or when the code is not good; nothing is changed then.
    pub async fn confirm(&self, account: &Account, email: &str, code: &str) -> Result<(), Error> {
        let now = self.parts().clock.now_us();
        let mut tx = self.parts().db.begin().await?;
        let account = account::lock(&mut tx, account.id).await?.filter(Account::exists).ok_or(Error::NoAccount)?;
        if account.email.as_deref() != Some(&*email.to_lowercase()) {
            return Err(Error::OtherAddress);
        }
        check(&mut tx, &account, Purpose::ConfirmEmail, code, now).await?;
        account::confirm_email(&mut tx, account.id, email, now).await?;
        Ok(tx.commit().await?)
    }

    /// Changes the address or the second factor. A confirmed address is replaced, and the factor switched off, only with a code. A new address is not
    /// confirmed, so the factor is off. The former address is told if it was confirmed: otherwise it may be a stranger's.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn update(&self, account: &Account, change: &AddressChange, languages: &Languages) -> Result<(), Error> {
        let now = self.parts().clock.now_us();
        let mut tx = self.parts().db.begin().await?;
        let account = account::lock(&mut tx, account.id).await?.filter(Account::exists).ok_or(Error::NoAccount)?;
        let is_same = account.email.as_deref() == Some(&change.email);
        let is_confirmed = account.email_confirmed_at.is_some();
        let switches_off = account.email_auth_factor && change.auth_factor == Some(false);
        match &change.code {
            Some(code) => check(&mut tx, &account, Purpose::UpdateEmail, code, now).await?,
            None if is_confirmed && (!is_same || switches_off) => return Err(Error::CodeRequired),
            None => {}
        }
        if change.auth_factor == Some(true) && !(is_same && is_confirmed) {
            return Err(Error::Unconfirmed);
        }
        if !is_same {
            if is_confirmed {
                self.tell(&mut tx, &account, Kind::EmailChanged, languages, &[]).await?;
            }
            account::set_email(&mut tx, account.id, Some(&change.email)).await?;
            email_token::void(&mut tx, account.id).await?;
        }
        let factor = is_same && change.auth_factor.unwrap_or(account.email_auth_factor);
        account::set_email_auth_factor(&mut tx, account.id, factor).await?;
        tx.commit().await?;
        self.mailer().wake();
        Ok(())
    }

    /// Accepts the code of a sign-in.
    ///
    /// # Errors
    /// When it is not good.
    pub async fn accept_sign_in(&self, account: &Account, code: &str) -> Result<(), Error> {
        let mut tx = self.parts().db.begin().await?;
        check(&mut tx, account, Purpose::AuthFactor, code, self.parts().clock.now_us()).await?;
        Ok(tx.commit().await?)
    }
}
