//! Sessions: their refresh tokens, and their list.

mod list;
mod token;

pub(crate) use list::{NAMED, OF_TOKEN, PAGE};
pub use list::{Place, Session, named, of_token, page};
pub(crate) use token::GET;
pub use token::{
    AppSession, RefreshToken, Rotation, create, forget_expired, get, revoke, revoke_all, revoke_app_password, rotate,
};
