//! What a class says for instances that say nothing themselves, with the Secrets that it names in their namespaces.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Container};
use kube::api::ListParams;
use serde_json::{Value, json};

use super::harness::{World, eventually, message, write_secret};
use super::secrets::{changed, version};

async fn server(world: &World) -> Container {
    let live = world.api::<Deployment>().get("full").await.unwrap();
    live.spec.unwrap().template.spec.unwrap().containers.remove(0)
}

/// The value of a variable of the server, or the Secret that it comes from.
async fn variable(world: &World, name: &str) -> Option<String> {
    let found = server(world).await.env.unwrap_or_default().into_iter().find(|found| found.name == name)?;
    let secret = || {
        let reference = found.value_from.as_ref()?.secret_key_ref.as_ref()?;
        Some(format!("{}/{}", reference.name, reference.key))
    };
    found.value.clone().or_else(secret)
}

#[tokio::test]
async fn a_secret_that_the_class_names_is_that_of_the_namespace() {
    let world = World::new("said").await;
    let _node = world.run_pods();
    let email = json!({"smtpSecret": {"name": "mail", "key": "url"}, "from": "Host <pds@host.test>"});
    let class = world.class(json!({"defaults": {"email": email, "jobs": {"crawl": "1m"}}})).await;
    world.create("full", json!({"hostname": "full.test", "className": class, "jobs": {"mails": "9s"}})).await.unwrap();
    let pds = world.condition("full", "SecretsReady", "False", "CredentialsInvalid").await;
    let place = format!("spec.defaults.email.smtpSecret of PdsClass {class}");
    assert_eq!(message(&pds, "SecretsReady"), format!("{place}: there is no Secret mail with the key url"));

    // The Secret itself brings the instance back.
    write_secret(&world.api(), "mail", &[("url", "smtps://u:p@mail.host.test")]).await;
    world.ready("full").await;
    assert_eq!(variable(&world, "PDS_EMAIL_SMTP_URL").await.as_deref(), Some("mail/url"));
    assert_eq!(variable(&world, "PDS_EMAIL_FROM_ADDRESS").await.as_deref(), Some("Host <pds@host.test>"));
    // Each field is the instance's own, or else the class's.
    assert_eq!(variable(&world, "PDS_JOB_CRAWL_INTERVAL").await.as_deref(), Some("60"));
    assert_eq!(variable(&world, "PDS_JOB_MAILS_INTERVAL").await.as_deref(), Some("9"));
    let before = version(&world).await.unwrap();
    write_secret(&world.api(), "mail", &[("url", "smtps://u:other@mail.host.test")]).await;
    changed(&world, &before).await;

    // What the PDS could not start with.
    let french = json!({"smtpSecret": {"name": "mail", "key": "url"}, "from": "pds@own.test", "language": "fr"});
    world.edit("full", json!({"email": french})).await.unwrap();
    let pds = world.condition("full", "ClassAccepted", "False", "InvalidSpec").await;
    let why = "spec.email.language: \"fr\", of which there are no templates; allowed: en, and languages of spec.email.templates";
    assert_eq!(message(&pds, "ClassAccepted"), why);

    // An instance with mail of its own gets nothing of the class's.
    write_secret(&world.api(), "own", &[("url", "smtps://mail.own.test")]).await;
    let template = json!({"language": "fr", "mail": "SignIn", "text": "Subject: Code\n\n{{ code }}\n", "html": "<p>{{ code }}</p>"});
    let own = json!({
        "smtpSecret": {"name": "own", "key": "url"}, "from": "pds@own.test", "language": "fr", "templates": [template],
    });
    world.edit("full", json!({"email": own})).await.unwrap();
    eventually("its own server", async || (variable(&world, "PDS_EMAIL_SMTP_URL").await? == "own/url").then_some(()))
        .await;
    assert_eq!(variable(&world, "PDS_EMAIL_FROM_ADDRESS").await.as_deref(), Some("pds@own.test"));
    let folder = variable(&world, "PDS_EMAIL_TEMPLATES_DIRECTORY").await.unwrap();
    let live = world.api::<Deployment>().get("full").await.unwrap();
    let pod = live.spec.unwrap().template.spec.unwrap();
    let mounts = pod.containers[0].volume_mounts.clone().unwrap();
    let mount = mounts.into_iter().find(|mount| mount.mount_path == folder).unwrap();
    let volume = pod.volumes.unwrap().into_iter().find(|volume| volume.name == mount.name).unwrap();
    let map = volume.config_map.unwrap();
    let data = world.api::<ConfigMap>().get(&map.name).await.unwrap().data.unwrap();
    let files = map.items.unwrap().into_iter().map(|item| (item.path, data[&item.key].clone()));
    let wanted = [("fr/sign-in.txt", "Subject: Code\n\n{{ code }}\n"), ("fr/sign-in.html", "<p>{{ code }}</p>")];
    assert_eq!(files.collect::<Vec<_>>(), wanted.map(|(path, text)| (path.to_owned(), text.to_owned())));
}

#[tokio::test]
async fn rules_for_records_are_a_file_in_the_pods() {
    let world = World::new("rules").await;
    let _node = world.run_pods();
    let class = world.class(json!({"defaults": {"records": {"deny": ["com.evil.*"]}}})).await;
    let rules = json!({"maxBytes": {"*": 10000}});
    world.create("full", json!({"hostname": "full.test", "className": class, "records": rules})).await.unwrap();
    world.ready("full").await;
    let file = variable(&world, "PDS_RECORD_RULES_FILE").await.unwrap();
    let mounts = server(&world).await.volume_mounts.unwrap();
    assert!(mounts.iter().any(|mount| file.starts_with(&mount.mount_path)), "{file}");
    let read = async || -> Option<Value> {
        let maps = world.api::<ConfigMap>().list(&ListParams::default()).await.ok()?;
        let mut files = maps.into_iter().filter_map(|map| map.data?.remove("records.json"));
        // The old file goes when no pod has it any more.
        let file = files.next().filter(|_| files.next().is_none())?;
        serde_json::from_str(&file).ok()
    };
    assert_eq!(read().await.unwrap(), json!({"deny": ["com.evil.*"], "maxBytes": {"*": 10000}}));
    world.edit("full", json!({"records": {"deny": ["com.example.*"]}})).await.unwrap();
    let now = json!({"deny": ["com.example.*"], "maxBytes": {"*": 10000}});
    eventually("another file", async || (read().await? == now).then_some(())).await;

    // A rule that the PDS could not read would keep its pods from starting.
    world.edit("full", json!({"records": {"deny": ["a.b.*", "app.bad-.thing"]}})).await.unwrap();
    let pds = world.condition("full", "ClassAccepted", "False", "InvalidSpec").await;
    let why = "spec.records.deny: \"app.bad-.thing\" is no collection; allowed: app.example.thing, app.example.*, *";
    assert_eq!(message(&pds, "ClassAccepted"), why);
}
