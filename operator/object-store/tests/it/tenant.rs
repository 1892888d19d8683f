//! What the keys of an instance reach, and what goes when the instance goes.

use aws_sdk_s3::types::{BucketVersioningStatus, Delete, ObjectIdentifier, VersioningConfiguration};
use operator_object_store::{Deleted, MARKER_KEY, Provisioner};
use secrecy::ExposeSecret;

use super::proxy::Proxy;
use super::s3::{self, admin, admin_api, client, code, exists, get, put};
use super::world::{endpoint, keys, request, versitygw, versitygw_at};

#[tokio::test]
async fn keys_reach_one_bucket_and_nothing_else() {
    let (mine, other) = (request(), request());
    let tenant = keys(&versitygw(), &mine).await;
    keys(&versitygw(), &other).await;
    let (bucket, foreign) = (mine.bucket(), other.bucket());
    put(&admin(), &foreign, "secret", "theirs").await;
    let client = client(&tenant);

    put(&client, &bucket, "a/b", "bytes").await;
    assert_eq!(get(&client, &bucket, "a/b").await.as_deref(), Some("bytes"));
    client.delete_object().bucket(&bucket).key("a/b").send().await.unwrap();
    client.list_objects_v2().bucket(&bucket).send().await.unwrap();

    assert_eq!(code(client.get_object().bucket(&foreign).key("secret").send().await), "AccessDenied");
    assert_eq!(code(client.list_objects_v2().bucket(&foreign).send().await), "AccessDenied");
    assert_eq!(code(client.put_object().bucket(&foreign).key("x").send().await), "AccessDenied");
    let copy = client.copy_object().bucket(&bucket).key("copy").copy_source(format!("{foreign}/secret"));
    assert_eq!(code(copy.send().await), "AccessDenied");
    assert_eq!(code(client.delete_bucket().bucket(&bucket).send().await), "AccessDenied");
    assert_eq!(code(client.put_bucket_policy().bucket(&bucket).policy("{}").send().await), "AccessDenied");
    assert_eq!(code(client.delete_bucket_policy().bucket(&bucket).send().await), "AccessDenied");
    assert_ne!(code(client.create_bucket().bucket(format!("{bucket}-2")).send().await), "done");
    for (path, body) in [
        ("list-users", ""),
        ("create-user", "<Account><Access>evil</Access><Secret>s</Secret><Role>admin</Role></Account>"),
        (&format!("update-user?access={}", tenant.access_key_id), "<MutableProps><Role>admin</Role></MutableProps>"),
        (&format!("delete-user?access={}", other.user()), ""),
    ] {
        let (status, text) = admin_api(&tenant, path, body).await;
        assert_eq!(status, 403, "{path}: {text}");
    }
    assert_eq!(s3::role("evil").await, None);
    assert_eq!(s3::role(&tenant.access_key_id).await.as_deref(), Some("user"));
}

#[tokio::test]
async fn the_marker_cannot_be_written_by_the_tenant() {
    let request = request();
    let tenant = keys(&versitygw(), &request).await;
    let (bucket, client) = (request.bucket(), client(&tenant));
    let before = get(&client, &bucket, MARKER_KEY).await.expect("reading is fine");
    let identifier = ObjectIdentifier::builder().key(MARKER_KEY).build().unwrap();
    let many = Delete::builder().objects(identifier).build().unwrap();
    put(&client, &bucket, "evil", "{}").await;

    for key in [MARKER_KEY, ".aurora-locus/adopt", ".aurora-locus/x/y"] {
        assert_eq!(code(client.put_object().bucket(&bucket).key(key).send().await), "AccessDenied", "{key}");
        assert_eq!(code(client.delete_object().bucket(&bucket).key(key).send().await), "AccessDenied", "{key}");
        let copy = client.copy_object().bucket(&bucket).key(key).copy_source(format!("{bucket}/evil"));
        assert_eq!(code(copy.send().await), "AccessDenied", "{key}");
        let upload = client.create_multipart_upload().bucket(&bucket).key(key).send().await;
        assert_eq!(code(upload), "AccessDenied", "{key}");
    }
    // Other spellings of the same path.
    for key in [
        "./.aurora-locus/owner.json",
        "x/../.aurora-locus/owner.json",
        ".aurora-locus//owner.json",
        "/.aurora-locus/owner.json",
    ] {
        let _ = client.put_object().bucket(&bucket).key(key).body(b"evil".to_vec().into()).send().await;
        let _ = client.delete_object().bucket(&bucket).key(key).send().await;
    }
    let _ = client.delete_objects().bucket(&bucket).delete(many).send().await;
    let _ = client.delete_object().bucket(&bucket).key(".aurora-locus/").send().await;
    let _ = client.delete_object().bucket(&bucket).key(".aurora-locus").send().await;
    assert_eq!(get(&admin(), &bucket, MARKER_KEY).await, Some(before));
}

#[tokio::test]
async fn a_second_time_changes_nothing() {
    let (proxy, address) = Proxy::start(&endpoint(), |_| None).await;
    let (provisioner, request) = (versitygw_at(&address), request());
    let first = keys(&provisioner, &request).await;
    let writes = proxy.writes();
    let second = keys(&provisioner, &request).await;
    assert_eq!(proxy.writes(), writes);
    assert_eq!(first.access_key_id, second.access_key_id);
    assert_eq!(first.secret_access_key.expose_secret(), second.secret_access_key.expose_secret());
    let marker = provisioner.owner(&request.bucket()).await.unwrap().unwrap().unwrap();
    assert_eq!(marker.user, Some(request.user()));
    assert_eq!(marker.fingerprint, request.owner.fingerprint);
}

#[tokio::test]
async fn everything_of_the_instance_goes_and_nothing_else() {
    let (mine, other) = (request(), request());
    let provisioner = versitygw();
    keys(&provisioner, &mine).await;
    let theirs = keys(&provisioner, &other).await;
    let (bucket, admin) = (mine.bucket(), admin());
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    admin.put_bucket_versioning().bucket(&bucket).versioning_configuration(versioning).send().await.unwrap();
    for number in 0..20 {
        put(&admin, &bucket, &format!("a/{number}"), "one").await;
        put(&admin, &bucket, &format!("a/{number}"), "two").await;
    }
    put(&admin, &bucket, MARKER_KEY, &get(&admin, &bucket, MARKER_KEY).await.unwrap()).await;
    admin.delete_object().bucket(&bucket).key("a/1").send().await.unwrap();
    let upload = admin.create_multipart_upload().bucket(&bucket).key("b").send().await.unwrap();
    let part = admin.upload_part().bucket(&bucket).key("b").set_upload_id(upload.upload_id).part_number(1);
    part.body(b"part".to_vec().into()).send().await.unwrap();

    assert_eq!(provisioner.delete(&mine).await.unwrap(), Deleted::Bucket);
    assert!(!exists(&admin, &bucket).await);
    assert_eq!(s3::role(&mine.user()).await, None);
    assert_eq!(provisioner.delete(&mine).await.unwrap(), Deleted::NoBucket);
    assert_eq!(provisioner.owner(&bucket).await.unwrap(), None);
    put(&client(&theirs), &other.bucket(), "still", "here").await;
}
