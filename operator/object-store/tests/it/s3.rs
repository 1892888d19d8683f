//! An S3 server as one of its users sees it.

use std::time::SystemTime;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use operator_object_store::Credential;
use secrecy::ExposeSecret;

use super::world::{endpoint, root};

pub(crate) fn client_at(endpoint: &str, keys: &Credential) -> Client {
    client_with(
        endpoint,
        Credentials::new(&keys.access_key_id, keys.secret_access_key.expose_secret(), None, None, "test"),
    )
}

/// A client whose credential may be of a session.
pub(crate) fn client_with(endpoint: &str, keys: Credentials) -> Client {
    let config = Builder::new().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    let config = config.endpoint_url(endpoint).credentials_provider(keys).force_path_style(true);
    Client::from_conf(config.build())
}

pub(crate) fn client(keys: &Credential) -> Client {
    client_at(&endpoint(), keys)
}

pub(crate) fn admin() -> Client {
    client(&root())
}

pub(crate) async fn put(client: &Client, bucket: &str, key: &str, text: &str) {
    client.put_object().bucket(bucket).key(key).body(text.as_bytes().to_vec().into()).send().await.unwrap();
}

pub(crate) async fn get(client: &Client, bucket: &str, key: &str) -> Option<String> {
    let object = client.get_object().bucket(bucket).key(key).send().await.ok()?;
    Some(String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap())
}

pub(crate) async fn exists(client: &Client, bucket: &str) -> bool {
    client.head_bucket().bucket(bucket).send().await.is_ok()
}

/// The code of a refusal.
pub(crate) fn code<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E>>) -> String {
    result.err().map_or_else(|| "done".into(), |error| error.code().unwrap_or("no code").into())
}

/// A call of the Versity Gateway's admin API: status and body.
pub(crate) async fn admin_api(keys: &Credential, path: &str, body: &str) -> (u16, String) {
    let url = format!("{}/{path}", endpoint());
    let response = signed(keys, ("PATCH", "s3"), &url, body).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// A request to a service of AWS, signed.
pub(crate) fn signed(
    keys: &Credential,
    (method, service): (&str, &str),
    url: &str,
    body: &str,
) -> reqwest::RequestBuilder {
    let secret = keys.secret_access_key.expose_secret();
    let identity = Credentials::new(&keys.access_key_id, secret, None, None, "test").into();
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let parameters = v4::SigningParams::builder().identity(&identity).region("us-east-1").name(service);
    let parameters = parameters.time(SystemTime::now()).settings(settings).build().unwrap().into();
    let signable = SignableRequest::new(method, url, std::iter::empty(), SignableBody::Bytes(body.as_bytes()));
    let (instructions, _) = sign(signable.unwrap(), &parameters).unwrap().into_parts();
    let mut request = reqwest::Client::new().request(method.parse().unwrap(), url);
    for (name, value) in instructions.headers() {
        request = request.header(name, value);
    }
    request.body(body.to_owned())
}

/// Makes a user as a person at the server would.
pub(crate) async fn create_user(id: &str, secret: &str, role: &str) {
    let body = format!("<Account><Access>{id}</Access><Secret>{secret}</Secret><Role>{role}</Role></Account>");
    let (status, text) = admin_api(&root(), "create-user", &body).await;
    assert_eq!(status, 201, "{text}");
}

/// The users that the server has: name and role.
pub(crate) async fn role(user: &str) -> Option<String> {
    let (status, text) = admin_api(&root(), "list-users", "").await;
    assert_eq!(status, 200, "{text}");
    let (_, rest) = text.split_once(&format!("<Access>{user}</Access>"))?;
    let (_, rest) = rest.split_once("<Role>")?;
    Some(rest.split_once("</Role>")?.0.to_owned())
}
