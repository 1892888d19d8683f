//! Mail: an instance sends a code by an SMTP server of its namespace, and the code confirms the address.

use anyhow::Result;
use e2e::{
    Instance, Mailpit, mailpit,
    wait::{self, SHORT},
};
use serde_json::json;

#[tokio::test]
async fn a_mailed_code_confirms_an_address() -> Result<()> {
    let instance = Instance::prepare("mail").await?;
    let cluster = &instance.cluster;
    let mailpit = Mailpit::start(&instance).await?;
    mailpit.secret(&instance, "mail").await?;
    // The server's certificate is of the tests' own authority, which the class makes known. What to send with is a default of the class too.
    let email = json!({"smtpSecret": {"name": "mail", "key": "url"}, "from": "Example host <noreply@host.test>"});
    let class = cluster
        .class_like_standard(
            &instance.namespace,
            json!({"caBundle": std::fs::read_to_string(&cluster.ca_file)?, "defaults": {"email": email}}),
        )
        .await?;
    let (label, value) = mailpit::LABEL;
    let network = json!({"egressTo": [{"podLabels": {label: value}, "ports": [mailpit::PORT]}]});
    instance.apply(json!({"className": class, "network": network})).await?;
    instance.wait_ready().await?;
    assert_eq!(instance.condition("SecretsReady").await?.0, "True");

    let pds = instance.pds().await?;
    let account = pds.sign_up("alice", &instance.admin_password().await?).await?;
    let session = async || account.query("com.atproto.server.getSession", &[]).await;
    let before = session().await?;
    assert_eq!(before["emailConfirmed"], false);
    let address = before["email"].as_str().unwrap_or_default().to_owned();
    account.ask("com.atproto.server.requestEmailConfirmation").await?;

    let mail = mailpit.mail_to(&address).await?;
    assert_eq!(mail.from, ("Example host".to_owned(), "noreply@host.test".to_owned()));
    assert!(!mail.subject.is_empty());
    let confirm = async |email: &str, token: &str| {
        let input = json!({"email": email, "token": token});
        account.procedure("com.atproto.server.confirmEmail", input).await
    };
    let refused = confirm(&address, "AAAAA-AAAAA").await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("InvalidToken"), "{refused}");
    confirm(&address, mail.code()?).await?;
    assert_eq!(session().await?["emailConfirmed"], true);

    wait::until("the mail is in no queue any more", SHORT, async || {
        let waiting = instance.sql("select count(*) from mail").await?;
        if waiting == "0" { Ok(()) } else { wait::not_yet(format!("{waiting} wait")) }
    })
    .await?;
    cluster.delete_class(&class).await?;
    instance.clean_up().await
}
