//! `com.atproto.identity.*`.

mod get_recommended_did_credentials;
mod refresh_identity;
mod refuse;
mod request_plc_operation_signature;
mod resolve_did;
mod resolve_handle;
mod resolve_identity;
mod sign_plc_operation;
mod submit_plc_operation;
mod update_handle;

pub use get_recommended_did_credentials::get_recommended_did_credentials;
pub use refresh_identity::refresh_identity;
pub(super) use refuse::{refuse_handle, refuse_update};
pub use request_plc_operation_signature::request_plc_operation_signature;
pub use resolve_did::resolve_did;
pub use resolve_handle::resolve_handle;
pub use resolve_identity::resolve_identity;
pub use sign_plc_operation::sign_plc_operation;
pub use submit_plc_operation::submit_plc_operation;
pub use update_handle::update_handle;
