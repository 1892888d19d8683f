//! Attacks that worked once, and their siblings.

use operator_object_store::{Access, Error, MARKER_KEY, Owner, Provisioner, Request, Seed};
use secrecy::ExposeSecret;

use super::s3::{admin, admin_api, client, create_user, get, put, role};
use super::world::{credential, keys, named_request, request, root, unique, versitygw};

#[tokio::test]
async fn a_user_that_was_there_before_is_untouched() {
    for (role_before, request) in [("admin", request()), ("user", request()), ("admin", named_request())] {
        let theirs = credential(&request.user(), "their-own-secret");
        create_user(&theirs.access_key_id, "their-own-secret", role_before).await;
        let error = versitygw().ensure(&request, None).await.unwrap_err();
        assert!(matches!(&error, Error::UserNotOwned { user, .. } if *user == request.user()), "{error}");
        assert!(
            error.to_string().contains(&request.user()) && error.to_string().contains("delete it there"),
            "{error}"
        );
        // Not even with the secret that it has, planted where the instance's Secret is.
        versitygw().ensure(&request, Some(&theirs)).await.unwrap_err();
        versitygw().delete(&request).await.unwrap();
        assert_eq!(role(&request.user()).await.as_deref(), Some(role_before));
        let (status, _) = admin_api(&theirs, "list-users", "").await;
        assert_eq!(status == 200, role_before == "admin", "its secret is what it was");
        client(&theirs).list_buckets().send().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_tenant_plants_in_its_secret_has_no_effect() {
    let victim = request();
    let theirs = keys(&versitygw(), &victim).await;
    let xml = "p</Secret><Role>admin</Role></Account>";
    for kept in [
        credential("x", xml),
        credential("x</Access><Role>admin</Role>", xml),
        credential(&victim.user(), "known"),
        credential(&root().access_key_id, "known"),
        credential("", ""),
    ] {
        let request = request();
        let Access::Keys(given) = versitygw().ensure(&request, Some(&kept)).await.unwrap() else { panic!() };
        assert_eq!(given.access_key_id, request.user());
        assert_eq!(given.secret_access_key.expose_secret().len(), 64);
        assert_eq!(role(&given.access_key_id).await.as_deref(), Some("user"));
        let (status, _) = admin_api(&given, "list-users", "").await;
        assert_eq!(status, 403);
    }
    assert_eq!(role("x").await, None);
    put(&client(&theirs), &victim.bucket(), "still", "mine").await;
}

#[tokio::test]
async fn a_bucket_named_like_a_user_gives_nothing_of_that_user() {
    let agent = format!("cron-agent-{}", unique());
    create_user(&agent, "agent-secret", "user").await;
    let request = Request { bucket: Some(agent.clone()), ..request() };
    let given = keys(&versitygw(), &request).await;
    assert_eq!(given.access_key_id, request.user());
    client(&credential(&agent, "agent-secret")).list_buckets().send().await.unwrap();
    assert_eq!(get(&client(&credential(&agent, "agent-secret")), &agent, MARKER_KEY).await, None);
    versitygw().delete(&request).await.unwrap();
    assert_eq!(role(&agent).await.as_deref(), Some("user"));
    client(&credential(&agent, "agent-secret")).list_buckets().send().await.unwrap();
}

/// Two clusters share a service, and each has an instance of the same namespace and name. The tenant of the second reaches a bucket of their own and
/// writes a marker that claims the first one's user.
#[tokio::test]
async fn a_planted_marker_does_not_give_another_clusters_user() {
    let victim = request();
    let theirs = keys(&versitygw(), &victim).await;
    let bucket = format!("planted-{}", unique());
    let owner = Owner { cluster: "two".into(), fingerprint: unique(), ..victim.owner.clone() };
    let attacker = Request { owner, bucket: Some(bucket.clone()), seed: Seed::new([9; 32]), ..victim.clone() };
    let marker = format!(
        r#"{{"version":1,"cluster":"two","namespace":"team","name":"{}","fingerprint":"{}","user":"{}","created":""}}"#,
        attacker.owner.name,
        attacker.owner.fingerprint,
        victim.user()
    );
    admin().create_bucket().bucket(&bucket).send().await.unwrap();
    put(&admin(), &bucket, MARKER_KEY, &marker).await;
    let error = versitygw().ensure(&attacker, None).await.unwrap_err();
    assert!(matches!(error, Error::UserNotOwned { .. }), "{error}");
    versitygw().delete(&attacker).await.unwrap();
    put(&client(&theirs), &victim.bucket(), "still", "mine").await;
    // And their bucket of the derived name is refused, too.
    let derived = Request { bucket: None, ..attacker };
    assert!(matches!(versitygw().ensure(&derived, None).await, Err(Error::NotOwned { .. })));
}
