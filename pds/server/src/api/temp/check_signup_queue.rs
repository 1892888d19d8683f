use serde_json::{Value, json};

use crate::xrpc::Output;

/// `com.atproto.temp.checkSignupQueue`
///
/// This host has no queue: whoever has a session can use it.
pub async fn check_signup_queue() -> Output<Value> {
    Output(json!({"activated": true}))
}
