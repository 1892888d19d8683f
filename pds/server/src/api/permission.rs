//! The permission that an OAuth session needs for a method, in the words of the AT Protocol's scopes.

use std::fmt;

use pds_repo::Action;

/// What an OAuth session needs. Sessions of passwords are limited by [`Requirement`](crate::auth::Requirement) alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Nothing: the method asks for no session.
    NotAsked,
    /// The method cannot be called with an OAuth session.
    Refused,
    /// Any session may call it: the scope `atproto`.
    AnySession,
    /// An attribute of the account, to read or to manage it.
    Account { attribute: Attribute, action: AccountAction },
    /// The account's handle.
    Handle,
    /// The account's identity as a whole.
    Identity,
    /// These actions on records of the collection that the input names.
    Records(&'static [Action]),
    /// Upload of the media type that the body has.
    Upload,
    /// Calls of the method that the parameters or the request name, at the service that they name.
    Calls,
}

/// An attribute of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// Its e-mail address.
    Email,
    /// Its repository as a whole.
    Repo,
    /// Whether it is active.
    Status,
}

/// What is done with an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountAction {
    /// It is read.
    Read,
    /// It is changed.
    Manage,
}

/// As scopes are written, with the part in capitals that depends on the request. Empty if nothing is asked.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => Ok(()),
            Self::Refused => f.write_str("refused"),
            Self::AnySession => f.write_str("atproto"),
            Self::Account { attribute, action } => {
                let attribute = match attribute {
                    Attribute::Email => "email",
                    Attribute::Repo => "repo",
                    Attribute::Status => "status",
                };
                let action = match action {
                    AccountAction::Read => "read",
                    AccountAction::Manage => "manage",
                };
                write!(f, "account:{attribute}?action={action}")
            }
            Self::Handle => f.write_str("identity:handle"),
            Self::Identity => f.write_str("identity:*"),
            Self::Records(actions) => {
                f.write_str("repo:COLLECTION")?;
                for (n, action) in actions.iter().enumerate() {
                    write!(f, "{}action={}", if n == 0 { '?' } else { '&' }, action.as_str())?;
                }
                Ok(())
            }
            Self::Upload => f.write_str("blob:MEDIA_TYPE"),
            Self::Calls => f.write_str("rpc:METHOD?aud=SERVICE"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_written_as_scopes() {
        let email = Permission::Account { attribute: Attribute::Email, action: AccountAction::Manage };
        assert_eq!(email.to_string(), "account:email?action=manage");
        let put = Permission::Records(&[Action::Create, Action::Update]);
        assert_eq!(put.to_string(), "repo:COLLECTION?action=create&action=update");
        assert_eq!(Permission::Upload.to_string(), "blob:MEDIA_TYPE");
        assert_eq!(Permission::NotAsked.to_string(), "");
    }
}
