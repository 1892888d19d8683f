use axum::{Extension, extract::State};
use pds_crypto::session_token::Scope;
use pds_syntax::{Did, Nsid};
use serde::{Deserialize, Serialize};

use crate::{
    actor::Purpose,
    api::proxy::Policies,
    app::App,
    auth::{Access, missing_scope},
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.server.getServiceAuth`.
#[derive(Debug, Deserialize)]
pub struct GetServiceAuthParams {
    aud: String,
    exp: Option<i64>,
    lxm: Option<Nsid>,
}

/// Output of `com.atproto.server.getServiceAuth`.
#[derive(Debug, Serialize)]
pub struct ServiceAuth {
    token: String,
}

/// The method that an account which was taken down may still have a token for: it moves away with it.
const MIGRATION: &str = "com.atproto.server.createAccount";
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// `com.atproto.server.getServiceAuth`
pub async fn get_service_auth(
    State(app): State<App>,
    access: Access,
    Extension(Policies(policy)): Extension<Policies>,
    Query(params): Query<GetServiceAuthParams>,
) -> Result<Output<ServiceAuth>> {
    let GetServiceAuthParams { aud, exp, lxm } = params;
    let lxm = lxm.as_ref().map(Nsid::as_str);
    if !is_service(&aud) {
        return Err(XrpcError::invalid("aud must be a valid atproto DID or did#serviceId reference"));
    }
    if access.scope == Scope::Takendown && lxm != Some(MIGRATION) {
        return Err(XrpcError::named("InvalidToken", "Bad token scope"));
    }
    if let Some(limits) = &access.limits
        && !lxm.is_some_and(|lxm| limits.may_call(lxm, &aud))
    {
        return Err(missing_scope(format_args!("rpc:{}?aud={aud}", lxm.unwrap_or("*"))));
    }
    if let Some(lxm) = lxm
        && policy(lxm).is_privileged
        && access.scope != Scope::Takendown
        && !access.scope.is_privileged()
    {
        return Err(XrpcError::invalid(format!(
            "insufficient access to request a service auth token for the following method: {lxm}"
        )));
    }
    // 0 stands for none.
    let exp = exp.filter(|exp| *exp != 0);
    if let Some(exp) = exp {
        check_expiry(exp.saturating_sub(app.clock.now_s()), lxm.is_some())?;
    }
    if let Some(lxm) = lxm.filter(|lxm| policy(lxm).is_protected) {
        return Err(XrpcError::invalid(format!(
            "cannot request a service auth token for the following protected method: {lxm}"
        )));
    }
    let purpose = Purpose { audience: &aud, method: lxm, expires: exp };
    let token = app.actors.service_token(&access.account, purpose).await?;
    Ok(Output(ServiceAuth { token }))
}

fn check_expiry(seconds: i64, has_method: bool) -> Result<()> {
    let bad = |message| Err(XrpcError::named("BadExpiration", message));
    match seconds {
        ..0 => bad("expiration is in past"),
        _ if seconds > HOUR => bad("cannot request a token with an expiration more than an hour in the future"),
        _ if seconds > MINUTE && !has_method => {
            bad("cannot request a method-less token with an expiration more than a minute in the future")
        }
        _ => Ok(()),
    }
}

/// Whether a text is the DID of a service, alone or with a fragment.
fn is_service(audience: &str) -> bool {
    let (did, fragment) = audience.split_once('#').map_or((audience, None), |(did, rest)| (did, Some(rest)));
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&b);
    let is_fragment = |fragment: &str| !fragment.is_empty() && fragment.bytes().all(legal);
    did.parse::<Did>().is_ok_and(|did| matches!(did.method(), "plc" | "web")) && fragment.is_none_or(is_fragment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_a_service() {
        for audience in ["did:web:api.example.com", "did:plc:ewvi7nxzyoun6zhxrhs64oiz#atproto_labeler"] {
            assert!(is_service(audience), "{audience}");
        }
        for audience in
            ["", "did:key:zQ3s", "api.example.com", "did:web:a.test#", "did:web:a.test#a#b", "did:web:a.test#a b"]
        {
            assert!(!is_service(audience), "{audience}");
        }
    }

    #[test]
    fn a_token_lasts_an_hour_at_most_and_a_minute_for_all_methods() {
        for (seconds, has_method, is_good) in [
            (0, false, true),
            (60, false, true),
            (61, false, false),
            (61, true, true),
            (3_600, true, true),
            (3_601, true, false),
            (-1, true, false),
        ] {
            assert_eq!(check_expiry(seconds, has_method).is_ok(), is_good, "{seconds} {has_method}");
        }
    }
}
