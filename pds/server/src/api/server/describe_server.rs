use axum::extract::State;
use serde_json::{Map, Value, json};

use crate::{app::App, xrpc::Output};

/// `com.atproto.server.describeServer`
pub async fn describe_server(State(app): State<App>) -> Output<Value> {
    let settings = &app.settings;
    let mut links = Map::new();
    if let Some(url) = &settings.contact.privacy_policy {
        links.insert("privacyPolicy".to_owned(), url.as_str().into());
    }
    if let Some(url) = &settings.contact.terms_of_service {
        links.insert("termsOfService".to_owned(), url.as_str().into());
    }
    let mut contact = Map::new();
    if let Some(email) = &settings.contact.email {
        contact.insert("email".to_owned(), email.as_str().into());
    }
    Output(json!({
        "did": settings.service.did,
        "availableUserDomains": settings.identity.handle_domains,
        "inviteCodeRequired": settings.invite_required,
        "blobUploadLimit": settings.blob.upload_limit,
        "links": links,
        "contact": contact,
    }))
}
