//! Mailpit: takes mails by SMTP and shows them.

use std::{
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use pds_store::{account, email_token::Purpose};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Person, TestPds, free_port, variable};

/// The sender of a test's mails.
pub(crate) const FROM: &str = "Test PDS <noreply@pds.test>";

/// The server that `make test` starts, or one of the test's own.
pub(crate) struct Mailpit {
    smtp: String,
    url: String,
    http: reqwest::Client,
    /// Keeps the addresses of tests apart that share the server.
    tag: String,
    own: Option<(Child, TempDir)>,
}

/// A mail as it arrived.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) subject: String,
    pub(crate) from: String,
    pub(crate) text: String,
    pub(crate) html: String,
    pub(crate) headers: Value,
}

impl Mailpit {
    pub(crate) fn shared() -> Self {
        Self::at(&variable("AURORA_TEST_MAILPIT_SMTP"), &variable("AURORA_TEST_MAILPIT_URL"), None)
    }

    /// One that this test may switch off. `options` are those of Mailpit.
    pub(crate) async fn own(options: &[&str]) -> Self {
        let [smtp, http] = [free_port(), free_port()];
        Self::on(smtp, http, options).await
    }

    /// One on these ports.
    pub(crate) async fn on(smtp: u16, http: u16, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (smtp, listen) = (format!("127.0.0.1:{smtp}"), format!("127.0.0.1:{http}"));
        let mut command = Command::new(variable("AURORA_TEST_MAILPIT_BIN"));
        command.args(["--smtp", &smtp, "--listen", &listen, "--disable-version-check", "--smtp-disable-rdns"]);
        command.arg("--database").arg(folder.path().join("mails.db")).args(options);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let this = Self::at(&format!("smtp://{smtp}"), &format!("http://{listen}"), Some((child, folder)));
        for _ in 0..400 {
            if this.http.get(format!("{}/readyz", this.url)).send().await.is_ok_and(|answer| answer.status() == 200) {
                return this;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("Mailpit did not start");
    }

    fn at(smtp: &str, url: &str, own: Option<(Child, TempDir)>) -> Self {
        let tag = uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
        Self { smtp: smtp.to_owned(), url: url.to_owned(), http: reqwest::Client::new(), tag, own }
    }

    /// What a server has to be told.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("PDS_EMAIL_SMTP_URL", self.smtp.clone()), ("PDS_EMAIL_FROM_ADDRESS", FROM.to_owned())]
    }

    /// Where mails are read.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The port that speaks SMTP.
    pub(crate) fn port(&self) -> u16 {
        self.smtp.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// An address of this test.
    pub(crate) fn address(&self, name: &str) -> String {
        format!("{name}-{}@example.com", self.tag)
    }

    /// Somebody with an account and a mailbox.
    pub(crate) async fn person(&self, pds: &TestPds, name: &str) -> Person {
        let input = json!({
            "handle": format!("{name}.pds.test"), "email": self.address(name), "password": "correct horse",
            "inviteCode": pds.invite(1).await,
        });
        pds.person_of(pds.sign_up(input).await.ok())
    }

    /// The mails to an address, oldest first.
    pub(crate) async fn mails(&self, to: &str) -> Vec<Mail> {
        let found = self.get("search", &[("query", &format!("to:\"{to}\""))]).await;
        let mut mails = Vec::new();
        for listed in found["messages"].as_array().unwrap().iter().rev() {
            let id = listed["ID"].as_str().unwrap();
            let (mail, headers) =
                (self.get(&format!("message/{id}"), &[]).await, self.get(&format!("message/{id}/headers"), &[]).await);
            let text = |field: &str| mail[field].as_str().unwrap_or_default().to_owned();
            let from =
                format!("{} <{}>", mail["From"]["Name"].as_str().unwrap(), mail["From"]["Address"].as_str().unwrap());
            mails.push(Mail { subject: text("Subject"), from, text: text("Text"), html: text("HTML"), headers });
        }
        mails
    }

    /// Sends what waits, until so many mails have come to an address. The newest.
    pub(crate) async fn nth(&self, pds: &TestPds, to: &str, count: usize) -> Mail {
        let mut mails = Vec::new();
        for _ in 0..400 {
            pds.send_mails().await;
            mails = self.mails(to).await;
            if mails.len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(mails.len(), count, "{mails:#?}");
        mails.pop().unwrap()
    }

    /// Waits until so many mails have come to an address, whoever sends them. The newest.
    pub(crate) async fn arrived(&self, to: &str, count: usize) -> Mail {
        for _ in 0..600 {
            let mut mails = self.mails(to).await;
            if mails.len() >= count {
                return mails.pop().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{count} mails did not arrive");
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let answer = self.http.get(format!("{}/api/v1/{path}", self.url)).query(query).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }
}

impl Mail {
    /// The code in its text, which is in its HTML too.
    pub(crate) fn code(&self) -> String {
        let is_code = |word: &&str| {
            let letters = |half: &str| half.len() == 5 && half.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7'));
            word.split_once('-').is_some_and(|(a, b)| letters(a) && letters(b))
        };
        let code = self.text.split_whitespace().find(is_code).unwrap_or_else(|| panic!("no code in {}", self.text));
        assert!(self.html.contains(code), "{}", self.html);
        code.to_owned()
    }
}

impl TestPds {
    /// On SQLite or Postgres, with a mail server.
    pub(crate) async fn mailed(database: super::Database, mail: &Mailpit, more: &[(&'static str, &str)]) -> Self {
        let mut settings = mail.settings();
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self::with(database, &settings).await
    }

    /// A code that an administrator gives to somebody.
    pub(crate) async fn code(&self, person: &Person, purpose: Purpose) -> String {
        let account = account::by_did(&self.app.db, &person.did.parse().unwrap()).await.unwrap().unwrap();
        let mut tx = self.app.db.begin().await.unwrap();
        let code = self.app.emails.issue(&mut tx, &account, purpose).await.unwrap();
        tx.commit().await.unwrap();
        code.to_string()
    }

    /// What the job does that sends mails; how many it sent.
    pub(crate) async fn send_mails(&self) -> usize {
        self.app.emails.mailer().send_due().await.unwrap()
    }
}

/// A certificate for 127.0.0.1 and localhost in files of this folder: certificate and key.
pub(crate) fn certificate(folder: &Path) -> [String; 2] {
    let names = ["127.0.0.1", "localhost"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        path.display().to_string()
    };
    [write("tls.crt", made.cert.pem()), write("tls.key", made.signing_key.serialize_pem())]
}

impl Drop for Mailpit {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.own {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
