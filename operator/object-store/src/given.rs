//! A bucket and a credential that the tenant brings. Nothing is made; the values are read and checked.

use std::collections::BTreeMap;

use secrecy::SecretString;
use url::{Host, Url};

use crate::{Credential, Error, Service, naming};

const MOST_BYTES: usize = 512;
const MOST_SHOWN: usize = 80;

/// A bucket that exists and the keys to it.
#[derive(Clone, Debug)]
pub struct Given {
    /// The service.
    pub service: Service,
    /// The bucket.
    pub bucket: String,
    /// Its keys.
    pub credential: Credential,
}

impl Given {
    /// Reads the keys `bucket`, `endpoint`, `region`, `accessKeyId`, `secretAccessKey` and, optionally, `pathStyle`. Other keys are ignored.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the first key that is missing or wrong, its value unless that is a secret, and what is allowed.
    pub fn parse(values: &BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        let bucket = text(values, "bucket", "the name of a bucket")?;
        naming::check_bucket(bucket).map_err(|error| Error::Invalid(format!("bucket: {error}")))?;
        let endpoint = endpoint(text(values, "endpoint", ENDPOINT)?)?;
        let region = text(values, "region", REGION)?;
        if !region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Err(wrong("region", region, REGION));
        }
        let access_key_id = text(values, "accessKeyId", ACCESS_KEY_ID)?;
        if !access_key_id.chars().all(|c| c.is_ascii_graphic() && c != '/' && c != ',') {
            return Err(wrong("accessKeyId", access_key_id, ACCESS_KEY_ID));
        }
        let secret = text(values, "secretAccessKey", SECRET)?;
        if !secret.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Error::Invalid(format!("secretAccessKey: allowed is {SECRET}")));
        }
        let path_style = match values.contains_key("pathStyle") {
            true => path_style(text(values, "pathStyle", PATH_STYLE)?)?,
            false => has_no_domain(&endpoint),
        };
        Ok(Self {
            service: Service {
                endpoint: Some(endpoint.as_str().trim_end_matches('/').to_owned()),
                region: region.to_owned(),
                path_style,
                ca_bundle: None,
            },
            bucket: bucket.to_owned(),
            credential: Credential {
                access_key_id: access_key_id.to_owned(),
                secret_access_key: SecretString::from(secret),
            },
        })
    }
}

const ENDPOINT: &str =
    "an http or https URL of the service without user, path and query, such as https://s3.example.com";
const REGION: &str = "letters, digits, hyphens and underscores, such as us-east-1 or auto";
const ACCESS_KEY_ID: &str = "printable ASCII characters without spaces, slashes and commas";
const SECRET: &str = "printable ASCII characters without spaces";
const PATH_STYLE: &str = "true or false";

fn text<'a>(values: &'a BTreeMap<String, Vec<u8>>, key: &str, allowed: &str) -> Result<&'a str, Error> {
    let Some(value) = values.get(key) else {
        return Err(Error::Invalid(format!("{key} is missing: allowed is {allowed}")));
    };
    if value.len() > MOST_BYTES {
        return Err(Error::Invalid(format!("{key} has {} bytes: allowed are {MOST_BYTES} at most", value.len())));
    }
    // The newline of `echo` and of editors.
    let text = std::str::from_utf8(value).map(|text| text.trim_end_matches(['\n', '\r']));
    match text {
        Ok("") => Err(Error::Invalid(format!("{key} is empty: allowed is {allowed}"))),
        Ok(text) => Ok(text),
        Err(_) => Err(Error::Invalid(format!("{key} is not UTF-8: allowed is {allowed}"))),
    }
}

fn endpoint(value: &str) -> Result<Url, Error> {
    let url = Url::parse(value).map_err(|_| wrong("endpoint", value, ENDPOINT))?;
    let plain = url.username().is_empty() && url.password().is_none() && url.path() == "/";
    let plain = plain && url.query().is_none() && url.fragment().is_none() && url.host().is_some();
    if !plain && (url.password().is_some() || !url.username().is_empty()) {
        return Err(Error::Invalid(format!("endpoint holds a user or password: allowed is {ENDPOINT}")));
    }
    if plain && matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(wrong("endpoint", value, ENDPOINT)) }
}

fn path_style(value: &str) -> Result<bool, Error> {
    value.parse().map_err(|_| wrong("pathStyle", value, PATH_STYLE))
}

/// A bucket cannot be a label before an IP address or a name of one label.
fn has_no_domain(endpoint: &Url) -> bool {
    match endpoint.host() {
        Some(Host::Domain(name)) => !name.contains('.'),
        _ => true,
    }
}

fn wrong(key: &str, value: &str, allowed: &str) -> Error {
    let value: String = value.chars().take(MOST_SHOWN).collect();
    Error::Invalid(format!("{key} is {value:?}: allowed is {allowed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(changes: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        let mut all = BTreeMap::from([
            ("bucket", "blobs"),
            ("endpoint", "https://s3.example.com"),
            ("region", "auto"),
            ("accessKeyId", "id"),
            ("secretAccessKey", "s3cr3t/+="),
        ]);
        all.extend(changes.iter().copied());
        all.into_iter().map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn whole_values_are_read() {
        let given = Given::parse(&values(&[("bucket", "blobs\n")])).unwrap();
        assert_eq!((given.bucket.as_str(), given.service.path_style), ("blobs", false));
        assert_eq!(given.service.endpoint.as_deref(), Some("https://s3.example.com"));
        for endpoint in ["http://10.0.0.1:9000", "http://minio:9000", "http://[::1]:9000"] {
            assert!(Given::parse(&values(&[("endpoint", endpoint)])).unwrap().service.path_style, "{endpoint}");
        }
        let given = Given::parse(&values(&[("endpoint", "http://minio:9000"), ("pathStyle", "false")])).unwrap();
        assert!(!given.service.path_style);
    }

    #[test]
    fn errors_name_the_key_and_never_the_secret() {
        for (key, value, start) in [
            ("bucket", "A", "bucket: \"A\" is not the name of a bucket"),
            ("endpoint", "s3.example.com", "endpoint is \"s3.example.com\": allowed is an http or https URL"),
            ("endpoint", "https://u:pass@s3.example.com", "endpoint holds a user or password: allowed is"),
            ("endpoint", "https://s3.example.com/path", "endpoint is \"https://s3.example.com/path\""),
            ("endpoint", "file:///etc/passwd", "endpoint is"),
            ("region", "a b", "region is \"a b\": allowed is letters"),
            ("accessKeyId", "a/b", "accessKeyId is \"a/b\": allowed is"),
            ("secretAccessKey", "p ass", "secretAccessKey: allowed is"),
            ("pathStyle", "yes", "pathStyle is \"yes\": allowed is true or false"),
            ("region", "", "region is empty"),
            ("secretAccessKey", &"x".repeat(513), "secretAccessKey has 513 bytes: allowed are 512 at most"),
        ] {
            let error = Given::parse(&values(&[(key, value)])).unwrap_err().to_string();
            assert!(error.starts_with(start) && !error.contains("pass@") && !error.contains("p ass"), "{error}");
        }
        let mut missing = values(&[]);
        missing.remove("region");
        assert!(Given::parse(&missing).unwrap_err().to_string().starts_with("region is missing"));
    }
}
