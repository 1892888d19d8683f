//! The admin API: XML over signed HTTP.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use quick_xml::Writer;
use quick_xml::events::BytesText;
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use url::Url;

use crate::error::{answered, no_answer, root_cause, unreachable};
use crate::limits::{CONNECT_SECONDS, OPERATION_SECONDS};
use crate::marker::MOST_BYTES;
use crate::{Credential, Error, Service};

#[derive(Debug)]
pub(super) struct Admin {
    client: reqwest::Client,
    endpoint: Url,
    place: String,
    region: String,
    credential: Credential,
}

/// Result of a request to create a user.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Created {
    Now,
    Before,
}

struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl Admin {
    pub(super) fn new(service: &Service, credential: Credential) -> Result<Self, Error> {
        let place = service.place();
        let endpoint = service.endpoint.as_deref().and_then(|endpoint| Url::parse(endpoint).ok());
        let endpoint = endpoint.ok_or_else(|| {
            Error::Invalid(format!(
                "the endpoint of a Versity Gateway must be a URL such as https://s3.example.com, not {place:?}"
            ))
        })?;
        let certificates = service.certificates()?;
        let client = reqwest::Client::builder();
        let client =
            if service.is_plain() { client.tls_certs_only(certificates) } else { client.tls_certs_merge(certificates) };
        let client = client
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
            .timeout(Duration::from_secs(OPERATION_SECONDS))
            .redirect(Policy::none())
            .build()
            .map_err(|error| {
                Error::Invalid(format!("no client for the object store at {place}: {}", root_cause(&error)))
            })?;
        Ok(Self { client, endpoint, place, region: service.region.clone(), credential })
    }

    pub(super) async fn create_user(&self, user: &Credential) -> Result<Created, Error> {
        let name = &user.access_key_id;
        let secret = user.secret_access_key.expose_secret();
        let body = xml("Account", &[("Access", name), ("Secret", secret), ("Role", "user")]);
        let what = format!("create user {name}");
        let answer = self.send(&what, "create-user", None, body).await?;
        if answer.status == StatusCode::CONFLICT {
            return Ok(Created::Before);
        }
        self.accept(&what, &answer).map(|()| Created::Now)
    }

    /// Gives the user its secret anew, and the role that it was made with.
    pub(super) async fn update_user(&self, user: &Credential) -> Result<(), Error> {
        let name = &user.access_key_id;
        let body = xml("MutableProps", &[("Secret", user.secret_access_key.expose_secret()), ("Role", "user")]);
        let what = format!("set the key of user {name}");
        let answer = self.send(&what, "update-user", Some(name), body).await?;
        self.accept(&what, &answer)
    }

    pub(super) async fn delete_user(&self, name: &str) -> Result<(), Error> {
        let what = format!("delete user {name}");
        let answer = self.send(&what, "delete-user", Some(name), Vec::new()).await?;
        if answer.status == StatusCode::NOT_FOUND { Ok(()) } else { self.accept(&what, &answer) }
    }

    async fn send(&self, what: &str, path: &str, access: Option<&str>, body: Vec<u8>) -> Result<Answer, Error> {
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}/{path}", self.endpoint.path().trim_end_matches('/')));
        url.set_query(None);
        if let Some(access) = access {
            url.query_pairs_mut().append_pair("access", access);
        }
        let mut request = self.client.request(Method::PATCH, url.clone());
        for (name, value) in
            self.sign(url.as_str(), &body).map_err(|why| Error::Invalid(format!("cannot {what}: {why}")))?
        {
            request = request.header(name, value);
        }
        let exchange = async {
            let mut response = request.body(body).send().await?;
            let (status, mut body) = (response.status(), Vec::new());
            while let Some(piece) = response.chunk().await? {
                body.extend_from_slice(&piece);
                if body.len() > MOST_BYTES {
                    body.truncate(MOST_BYTES);
                    break;
                }
            }
            Ok::<_, reqwest::Error>(Answer { status, body })
        };
        exchange.await.map_err(|error| match error {
            error if error.is_connect() => unreachable(what, &self.place, &root_cause(&error)),
            error if error.is_timeout() => no_answer(what, &self.place),
            error => unreachable(what, &self.place, &root_cause(&error)),
        })
    }

    /// Headers to add, or why there are none.
    fn sign(&self, url: &str, body: &[u8]) -> Result<Vec<(String, String)>, String> {
        let secret = self.credential.secret_access_key.expose_secret();
        let identity = Credentials::new(&self.credential.access_key_id, secret, None, None, "object-store").into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let parameters = v4::SigningParams::builder().identity(&identity).region(&self.region).name("s3");
        let parameters = parameters.time(SystemTime::now()).settings(settings).build();
        let parameters = parameters.map_err(|error| error.to_string())?.into();
        let signable = SignableRequest::new("PATCH", url, std::iter::empty(), SignableBody::Bytes(body));
        let signed =
            sign(signable.map_err(|error| error.to_string())?, &parameters).map_err(|error| error.to_string())?;
        let (instructions, _) = signed.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn accept(&self, what: &str, answer: &Answer) -> Result<(), Error> {
        if answer.status.is_success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&answer.body);
        let (code, message) = (element(&text, "Code"), element(&text, "Message"));
        let message = message.unwrap_or(if code.is_none() { &text } else { "" });
        Err(answered(what, &self.place, answer.status.as_u16(), code, message))
    }
}

/// An element with a child per value. The writer escapes: no value can add an element.
fn xml(root: &str, children: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let written = writer.create_element(root).write_inner_content(|writer| {
        for (name, value) in children {
            writer.create_element(*name).write_text_content(BytesText::new(value))?;
        }
        Ok(())
    });
    written.expect("memory takes every byte");
    writer.into_inner()
}

/// The text of an element in an error of the service; for people only.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_add_elements() {
        let body = xml("Account", &[("Access", "a&b"), ("Secret", "p</Secret><Role>admin</Role></Account>")]);
        let expected = "<Account><Access>a&amp;b</Access><Secret>p&lt;/Secret&gt;&lt;Role&gt;admin&lt;/Role&gt;&lt;/Account&gt;</Secret></Account>";
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
