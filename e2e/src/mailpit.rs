//! Mailpit in a pod beside an instance: takes mails by SMTP, over TLS and with a password only, and shows them.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::{
    Instance,
    wait::{self, LONG, SHORT},
};

/// Label of the pod, for a policy that lets the instance reach it.
pub const LABEL: (&str, &str) = ("app", "mailpit");
/// Port of the pod that speaks SMTP.
pub const PORT: u16 = 1025;
const USER: &str = "pds";
/// It has characters that a URL cannot have.
const PASSWORD: &str = "p@ss/w%rd";
const PASSWORD_IN_URL: &str = "p%40ss%2Fw%25rd";

/// A running Mailpit.
pub struct Mailpit {
    http: reqwest::Client,
    url: String,
    host: String,
}

/// A mail as it arrived.
#[derive(Debug)]
pub struct Mail {
    /// Name and address of the sender.
    pub from: (String, String),
    pub subject: String,
    pub text: String,
}

impl Mailpit {
    /// Starts Mailpit in the namespace of `instance`, with a certificate of the tests' authority.
    pub async fn start(instance: &Instance) -> Result<Self> {
        let (cluster, namespace) = (&instance.cluster, &instance.namespace);
        let host = format!("mailpit.{namespace}.svc");
        cluster.tls_secret(namespace, "mailpit-tls", &[&host]).await?;
        let image = std::env::var("AURORA_E2E_MAILPIT_IMAGE").context("AURORA_E2E_MAILPIT_IMAGE is not set")?;
        let labels = json!({LABEL.0: LABEL.1});
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "mailpit", "labels": labels},
            "spec": {
                "automountServiceAccountToken": false,
                "securityContext": {
                    "runAsNonRoot": true, "runAsUser": 65532, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [{
                    "name": "mailpit", "image": image,
                    "args": [
                        "--disable-version-check", "--smtp-disable-rdns", "--smtp-require-starttls",
                        "--smtp-tls-cert", "/tls/tls.crt", "--smtp-tls-key", "/tls/tls.key",
                    ],
                    "env": [{"name": "MP_SMTP_AUTH", "value": format!("{USER}:{PASSWORD}")}],
                    "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8025}, "periodSeconds": 1},
                    "securityContext": {
                        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "tls", "mountPath": "/tls"}],
                }],
                "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "tls", "secret": {"secretName": "mailpit-tls"}}],
            },
        }))?;
        cluster.api::<Pod>(namespace).create(&PostParams::default(), &pod).await?;
        let service: Service = serde_json::from_value(json!({
            "metadata": {"name": "mailpit"},
            "spec": {"selector": labels, "ports": [{"port": 587, "targetPort": PORT}]},
        }))?;
        cluster.api::<Service>(namespace).create(&PostParams::default(), &service).await?;
        let address = wait::until("Mailpit serves", LONG, async || {
            let status = cluster.api::<Pod>(namespace).get("mailpit").await?.status.unwrap_or_default();
            let mut conditions = status.conditions.iter().flatten();
            let ready = conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True");
            match status.pod_ip {
                Some(address) if ready => Ok(address),
                _ => wait::not_yet(format!("{:?}", status.container_statuses)),
            }
        })
        .await?;
        Ok(Self { http: reqwest::Client::new(), url: format!("http://{address}:8025"), host })
    }

    /// Writes the Secret `name` with the key `url`: the address for the instance, with user and password.
    pub async fn secret(&self, instance: &Instance, name: &str) -> Result<()> {
        let url = format!("smtp://{USER}:{PASSWORD_IN_URL}@{}", self.host);
        let secret: Secret = serde_json::from_value(json!({"metadata": {"name": name}, "stringData": {"url": url}}))?;
        instance.cluster.api::<Secret>(&instance.namespace).create(&PostParams::default(), &secret).await?;
        Ok(())
    }

    /// Waits for the first mail to an address.
    pub async fn mail_to(&self, address: &str) -> Result<Mail> {
        let listed = wait::until(&format!("a mail to {address}"), SHORT, async || {
            let found = self.get("search", &[("query", &format!("to:\"{address}\""))]).await?;
            match found["messages"][0]["ID"].as_str() {
                Some(id) => Ok(id.to_owned()),
                None => wait::not_yet(found),
            }
        })
        .await?;
        let mail = self.get(&format!("message/{listed}"), &[]).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let from = (text(&mail["From"]["Name"]), text(&mail["From"]["Address"]));
        Ok(Mail { from, subject: text(&mail["Subject"]), text: text(&mail["Text"]) })
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let answer = self.http.get(format!("{}/api/v1/{path}", self.url)).query(query).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{path} answered {status}: {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }
}

impl Mail {
    /// The code in the text: two times five letters and digits.
    pub fn code(&self) -> Result<&str> {
        let is_half = |half: &str| half.len() == 5 && half.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_code = |word: &&str| word.split_once('-').is_some_and(|(one, other)| is_half(one) && is_half(other));
        self.text.split_whitespace().find(is_code).with_context(|| format!("no code in {}", self.text))
    }
}
