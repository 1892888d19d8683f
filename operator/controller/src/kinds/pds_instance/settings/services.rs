//! Settings of services that the PDS uses: those of the network, mail and Redis.

use operator_api::{Cache, Email, NeedsEmail, PdsClass, PdsInstanceSpec, RemoteService, Services};
use operator_runtime::compare::whole;

use super::super::component::name::TEMPLATES_FOLDER;

/// How mail is sent. An instance that says something about it gets nothing from its class, since server and sender belong together.
pub(in super::super) fn email<'a>(spec: &'a PdsInstanceSpec, class: &'a PdsClass) -> Option<&'a Email> {
    spec.email.as_ref().or_else(|| class.spec.defaults.as_ref()?.email.as_ref())
}

/// The Redis server.
pub(super) fn cache<'a>(spec: &'a PdsInstanceSpec, class: &'a PdsClass) -> Option<&'a Cache> {
    spec.cache.as_ref().or_else(|| class.spec.defaults.as_ref()?.cache.as_ref())
}

pub(super) fn setting(name: &str, spec: &PdsInstanceSpec, class: &PdsClass) -> Option<String> {
    of_network(name, spec, class).or_else(|| proxying(name, class)).or_else(|| of_email(name, email(spec, class)?))
}

fn of_network(name: &str, spec: &PdsInstanceSpec, class: &PdsClass) -> Option<String> {
    let said = [spec.services.as_ref(), class.spec.services.as_ref()];
    let find = |field: fn(&Services) -> Option<&RemoteService>| said.into_iter().flatten().find_map(field);
    let url = |field: fn(&Services) -> Option<&RemoteService>| find(field).map(|service| service.url.clone());
    let did = |field: fn(&Services) -> Option<&RemoteService>| find(field).map(|service| service.did.clone());
    match name {
        "PDS_BSKY_APP_VIEW_URL" => url(|services| services.app_view.as_ref()),
        "PDS_BSKY_APP_VIEW_DID" => did(|services| services.app_view.as_ref()),
        "PDS_BSKY_APP_VIEW_CDN_URL_PATTERN" => {
            said.into_iter().flatten().find_map(|services| services.image_url_pattern.clone())
        }
        "PDS_MOD_SERVICE_URL" => url(|services| services.moderation.as_ref()),
        "PDS_MOD_SERVICE_DID" => did(|services| services.moderation.as_ref()),
        "PDS_REPORT_SERVICE_URL" => url(|services| services.report.as_ref()),
        "PDS_REPORT_SERVICE_DID" => did(|services| services.report.as_ref()),
        "PDS_CRAWLERS" => {
            said.into_iter().flatten().find_map(|services| services.crawlers.as_ref()).map(|all| all.join(","))
        }
        _ => None,
    }
}

fn proxying(name: &str, class: &PdsClass) -> Option<String> {
    let proxying = class.spec.proxying.as_ref()?;
    match name {
        "PDS_PROXY_HEADERS_TIMEOUT" => proxying.headers_timeout.clone(),
        "PDS_PROXY_BODY_TIMEOUT" => proxying.body_timeout.clone(),
        "PDS_PROXY_MAX_RESPONSE_SIZE" => whole(&proxying.max_response.as_ref()?.0).map(|bytes| bytes.to_string()),
        "PDS_PROXY_MAX_RETRIES" => proxying.max_retries.map(|retries| retries.to_string()),
        "PDS_PROXY_MAX_CALLS" => proxying.calls_per_pod.map(|calls| calls.to_string()),
        "PDS_PROXY_ALLOW_HTTP2" => proxying.http2.map(|allowed| allowed.to_string()),
        "PDS_PROXY_PREFER_COMPRESSED" => proxying.prefer_compressed.map(|preferred| preferred.to_string()),
        _ => None,
    }
}

/// What is no secret. The URLs of the servers come from Secrets.
fn of_email(name: &str, email: &Email) -> Option<String> {
    match name {
        "PDS_EMAIL_FROM_ADDRESS" => Some(email.from.clone()),
        "PDS_EMAIL_LANGUAGE" => email.language.clone(),
        "PDS_EMAIL_TEMPLATES_DIRECTORY" => {
            email.templates.as_ref().filter(|list| !list.is_empty()).map(|_| TEMPLATES_FOLDER.into())
        }
        "PDS_EMAIL_DISABLE_CONFIRMATION_LINK" => email.confirmation_link.map(|has_link| (!has_link).to_string()),
        "PDS_MODERATION_EMAIL_ADDRESS" => email.moderation.as_ref().map(|moderation| moderation.from.clone()),
        "PDS_REQUIRE_CONFIRMED_EMAIL" => {
            let word = |need: &NeedsEmail| match need {
                NeedsEmail::Post => "post",
                NeedsEmail::Upload => "upload",
                NeedsEmail::Invite => "invite",
            };
            let needs = email.required_for.as_ref().filter(|needs| !needs.is_empty())?;
            Some(needs.iter().map(word).collect::<Vec<_>>().join(","))
        }
        _ => None,
    }
}
