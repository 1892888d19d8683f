//! The server that commands talk to, and the administrator's password.

use std::{env, fmt, fs, io::Write, path::Path, time::Duration};

use anyhow::{Context, bail, ensure};
use pds_config::var;
use pds_identity::Roots;
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::super::settings;
use crate::outside::roots;

/// A deletion of a large account takes a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// An export of a large account takes as long as its bytes.
const DOWNLOAD: Duration = Duration::from_secs(24 * 60 * 60);

/// A server, and the password of its administrator.
pub(in crate::command) struct Server {
    http: Client,
    url: Url,
    password: SecretString,
}

impl Server {
    /// The server with this URL, or the one on this machine.
    pub(super) fn find(url: Option<&str>, password_file: Option<&Path>) -> anyhow::Result<Self> {
        let given = given_password(password_file)?;
        match url {
            Some(url) => {
                let url = parse(url)?;
                let password = given.with_context(|| {
                    format!(
                        "the administrator's password is not known: set {} or {}_FILE, or name a file with --password-file",
                        var::ADMIN_PASSWORD,
                        var::ADMIN_PASSWORD
                    )
                })?;
                Ok(Self { http: client(&Roots::default(), None)?, url, password })
            }
            None => Self::local(given),
        }
    }

    /// The server whose settings this process has.
    fn local(given: Option<SecretString>) -> anyhow::Result<Self> {
        let (settings, secrets, made) = settings::load().context(
            "without --server the command talks to the server on this machine, whose settings must be set as for `pds serve`",
        )?;
        let is_made_up = made.is_some_and(|made| made.contains(var::ADMIN_PASSWORD));
        let password = match given {
            Some(password) => password,
            None if is_made_up => bail!(
                "no server has run with these settings yet, so that there is no administrator's password: \
                 run the command in the same folder and with the same {} as `pds serve`, or name a server with --server",
                var::DATA_DIRECTORY
            ),
            None => secrets.admin_password.clone(),
        };
        let service = &settings.service;
        let (scheme, host) = match service.tls {
            Some(_) => ("https", service.hostname.as_str()),
            None => ("http", "127.0.0.1"),
        };
        let url = parse(&format!("{scheme}://{host}:{}", service.port))?;
        // The certificate is for the public name, which may lead elsewhere.
        let here = service.tls.as_ref().map(|_| service.hostname.as_str());
        Ok(Self { http: client(&roots(&secrets)?, here)?, url, password })
    }

    /// The answer of a query.
    pub(in crate::command) async fn query(&self, method: &str, params: &[(&str, &str)]) -> anyhow::Result<Value> {
        self.ask(method, self.http.get(self.method(method)?).query(params)).await
    }

    /// The answer of a procedure, or null if it has none.
    pub(in crate::command) async fn call(&self, method: &str, input: &Value) -> anyhow::Result<Value> {
        self.ask(method, self.http.post(self.method(method)?).json(input)).await
    }

    /// Writes the answer of a query into a file that must not exist, and that nobody else may read. Returns its size. Without a whole answer there is
    /// no file.
    pub(super) async fn download(&self, method: &str, params: &[(&str, &str)], file: &Path) -> anyhow::Result<u64> {
        ensure!(!file.exists(), "{} exists: name another file", file.display());
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let failed = || format!("write {}", file.display());
        let mut partial = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
        let request = self.http.get(self.method(method)?).query(params).timeout(DOWNLOAD);
        let request = request.basic_auth("admin", Some(self.password.expose_secret()));
        let mut answer = success(method, self.url.as_str(), request).await?;
        let mut bytes = 0;
        while let Some(piece) =
            answer.chunk().await.with_context(|| format!("{} broke off its answer to {method}", self.url))?
        {
            partial.write_all(&piece).with_context(failed)?;
            bytes += piece.len() as u64;
        }
        partial.as_file().sync_all().with_context(failed)?;
        partial.persist_noclobber(file).with_context(failed)?;
        Ok(bytes)
    }

    /// All elements of a paged list, under this name in the answers.
    pub(in crate::command) async fn list(
        &self,
        method: &str,
        field: &str,
        params: &[(&str, &str)],
    ) -> anyhow::Result<Vec<Value>> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut params = params.to_vec();
            params.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let mut page = self.query(method, &params).await?;
            let Some(Value::Array(found)) = page.get_mut(field).map(Value::take) else {
                bail!("the server's answer to {method} has no list {field}");
            };
            all.extend(found);
            let next = page["cursor"].as_str().map(str::to_owned);
            ensure!(next.is_none() || next != cursor, "the server's answers to {method} do not come to an end");
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// The DID of an account that is named by DID, handle or e-mail address, in whatever state.
    pub(super) async fn did(&self, account: &str) -> anyhow::Result<String> {
        if account.starts_with("did:") {
            return Ok(account.to_owned());
        }
        let (field, wanted) = match account.contains('@') && !account.starts_with('@') {
            true => ("email", account.to_lowercase()),
            false => ("handle", account.trim_start_matches('@').to_lowercase()),
        };
        let mut params = vec![("limit", "100")];
        if field == "email" {
            params.push(("email", &wanted));
        }
        let accounts = self.list("com.atproto.admin.searchAccounts", "accounts", &params).await?;
        let found =
            accounts.iter().find(|account| account[field] == *wanted).and_then(|account| account["did"].as_str());
        found.map(str::to_owned).with_context(|| format!("{} has no account with the {field} {wanted}", self.url))
    }

    /// Makes an account. Without the administrator's password, which the method does not ask for.
    pub(super) async fn sign_up(&self, input: &Value) -> anyhow::Result<Value> {
        let method = "com.atproto.server.createAccount";
        answer(method, self.url.as_str(), self.http.post(self.method(method)?).json(input)).await
    }

    async fn ask(&self, method: &str, request: RequestBuilder) -> anyhow::Result<Value> {
        let request = request.basic_auth("admin", Some(self.password.expose_secret()));
        answer(method, self.url.as_str(), request).await
    }

    fn method(&self, method: &str) -> anyhow::Result<Url> {
        self.url.join(&format!("/xrpc/{method}")).with_context(|| format!("make the URL of {method}"))
    }
}

/// Sends a request to the server at `url`; its answer, or null if it has none.
pub(super) async fn answer(method: &str, url: &str, request: RequestBuilder) -> anyhow::Result<Value> {
    let answer = success(method, url, request).await?;
    let text = answer.text().await.with_context(|| format!("read the answer of {url}"))?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// Sends a request to the server at `url`; its answer, of which nothing was read, if that is not an error.
async fn success(method: &str, url: &str, request: RequestBuilder) -> anyhow::Result<Response> {
    let answer = request.send().await.with_context(|| format!("reach the server at {url}"))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.with_context(|| format!("read the answer of {url}"))?;
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let (name, message) = (body["error"].as_str(), body["message"].as_str());
    match (status, name) {
        (StatusCode::UNAUTHORIZED, Some("AuthenticationRequired")) => {
            bail!("{url} does not accept the administrator's password")
        }
        (_, Some(name)) => bail!("{url} refused {method}: {name}: {}", message.unwrap_or_default()),
        _ => bail!("{url} answered {method} with {status}, and is perhaps no PDS"),
    }
}

/// A client; one that finds `here` on this machine.
pub(super) fn client(roots: &Roots, here: Option<&str>) -> anyhow::Result<Client> {
    let client = roots.trusted_by(Client::builder().timeout(PATIENCE)).redirect(redirect::Policy::none());
    let client = match here {
        Some(host) => client.no_proxy().resolve(host, ([127, 0, 0, 1], 0).into()),
        None => client,
    };
    client.build().context("make an HTTP client")
}

fn parse(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.with_context(|| format!("--server {text:?} is not a URL; allowed: https://HOST or http://HOST:PORT"))
}

/// The password of the file, or of the environment.
fn given_password(file: Option<&Path>) -> anyhow::Result<Option<SecretString>> {
    let from_file = |path: &Path| {
        let text = fs::read_to_string(path).with_context(|| format!("read the password file {}", path.display()))?;
        let text = text.trim_end_matches(['\n', '\r']);
        ensure!(!text.is_empty(), "the password file {} is empty", path.display());
        anyhow::Ok(SecretString::from(text))
    };
    if let Some(path) = file {
        return from_file(path).map(Some);
    }
    let variable = |name: &str| env::var(name).ok().filter(|text| !text.is_empty());
    if let Some(password) = variable(var::ADMIN_PASSWORD) {
        return Ok(Some(password.into()));
    }
    variable(&format!("{}_FILE", var::ADMIN_PASSWORD)).map(|path| from_file(Path::new(&path))).transpose()
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.url)
    }
}
