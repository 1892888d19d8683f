//! Whose a bucket is.

use operator_object_store::{ADOPT_KEY, Deleted, Error, Holder, MARKER_KEY, Owner, Provisioner, Request, Seed};

use super::s3::{admin, client, get, put, role};
use super::world::{keys, named_request, request, versitygw};

async fn refused(request: &Request) -> String {
    let error = versitygw().ensure(request, None).await.unwrap_err();
    assert!(matches!(error, Error::NotOwned { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_bucket_of_another_owner_is_neither_used_nor_deleted() {
    let theirs = named_request();
    keys(&versitygw(), &theirs).await;
    let bucket = theirs.bucket();
    put(&admin(), &bucket, "theirs", "bytes").await;
    let marker = get(&admin(), &bucket, MARKER_KEY).await;
    let thief = Request { bucket: Some(bucket.clone()), ..request() };

    let (owner, name) = (&theirs.owner.name, &thief.owner.name);
    assert_eq!(
        refused(&thief).await,
        format!(
            "bucket {bucket} belongs to one/team/{owner} according to .aurora-locus/owner.json in it, not to one/team/{name}; choose another \
             bucket, or hand this one over by writing an object .aurora-locus/adopt with the content team/{name} into it"
        )
    );
    let Deleted::LeftAlone(Holder::Marked(found)) = versitygw().delete(&thief).await.unwrap() else { panic!() };
    assert_eq!(found.name, theirs.owner.name);
    assert_eq!(get(&admin(), &bucket, "theirs").await.as_deref(), Some("bytes"));
    assert_eq!(get(&admin(), &bucket, MARKER_KEY).await, marker);
    assert_eq!(role(&thief.user()).await, None, "no user was made");
}

#[tokio::test]
async fn a_bucket_without_a_readable_marker_is_nobodys() {
    let large = "x".repeat(65 << 10);
    for (key, text) in [("data", "theirs"), (MARKER_KEY, "{}"), (MARKER_KEY, &large)] {
        let request = named_request();
        let bucket = request.bucket();
        admin().create_bucket().bucket(&bucket).send().await.unwrap();
        refused(&request).await;
        put(&admin(), &bucket, key, text).await;
        refused(&request).await;
        assert!(matches!(versitygw().delete(&request).await.unwrap(), Deleted::LeftAlone(_)));
        assert_eq!(get(&admin(), &bucket, key).await.as_deref(), Some(text));
    }
    // A derived name is taken while the bucket is empty.
    let request = request();
    admin().create_bucket().bucket(request.bucket()).send().await.unwrap();
    assert_eq!(versitygw().owner(&request.bucket()).await.unwrap(), Some(None));
    keys(&versitygw(), &request).await;
    let full = super::world::request();
    admin().create_bucket().bucket(full.bucket()).send().await.unwrap();
    put(&admin(), &full.bucket(), "data", "theirs").await;
    refused(&full).await;
}

/// Disaster recovery: the same keys on a new cluster whose operator has another seed.
#[tokio::test]
async fn a_bucket_follows_the_keys_of_its_instance() {
    let before = request();
    let old = keys(&versitygw(), &before).await;
    put(&client(&old), &before.bucket(), "blob", "bytes").await;
    let owner = Owner { cluster: "two".into(), ..before.owner.clone() };
    let after = Request { owner, seed: Seed::new([8; 32]), ..before.clone() };
    let new = keys(&versitygw(), &after).await;
    assert_eq!(get(&client(&new), &after.bucket(), "blob").await.as_deref(), Some("bytes"));
    assert_eq!(get(&client(&old), &after.bucket(), "blob").await, None, "the old secret is worth nothing");
    let marker = versitygw().owner(&after.bucket()).await.unwrap().unwrap().unwrap();
    assert_eq!((marker.cluster.as_str(), marker.user), ("two", Some(after.user())));
}

/// F48: a service that lost the bucket, or another one that never had it.
#[tokio::test]
async fn a_bucket_in_use_is_not_made_anew() {
    let request = Request { is_in_use: true, ..request() };
    let (bucket, name) = (request.bucket(), &request.owner.name);
    let error = versitygw().ensure(&request, None).await.unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    let why = format!("bucket {bucket} with the blobs of one/team/{name} is not in the object store at ");
    assert!(error.to_string().starts_with(&why), "{error}");
    assert_eq!(role(&request.user()).await, None, "no user was made");
    // Somebody decides to go on without the blobs.
    admin().create_bucket().bucket(&bucket).send().await.unwrap();
    keys(&versitygw(), &request).await;
}

#[tokio::test]
async fn whoever_reaches_a_bucket_may_hand_it_over() {
    let before = named_request();
    let old = keys(&versitygw(), &before).await;
    let bucket = before.bucket();
    put(&client(&old), &bucket, "blob", "bytes").await;
    let after = Request { bucket: Some(bucket.clone()), ..request() };
    put(&admin(), &bucket, ADOPT_KEY, "team/other").await;
    refused(&after).await;
    put(&admin(), &bucket, ADOPT_KEY, &format!("team/{}\n", after.owner.name)).await;
    let new = keys(&versitygw(), &after).await;
    assert_eq!(get(&client(&new), &bucket, "blob").await.as_deref(), Some("bytes"));
    assert_eq!(get(&admin(), &bucket, ADOPT_KEY).await, None);
    // Who had it before is out.
    assert_eq!(get(&client(&old), &bucket, "blob").await, None);
    refused(&before).await;
}

#[tokio::test]
async fn another_prefix_gives_the_bucket_another_user() {
    let before = request();
    keys(&versitygw(), &before).await;
    let after = Request { prefix: Some("other".into()), bucket: Some(before.bucket()), ..before.clone() };
    let new = keys(&versitygw(), &after).await;
    put(&client(&new), &before.bucket(), "works", "1").await;
    assert_ne!(before.user(), after.user());
    assert_eq!(role(&before.user()).await, None);
    assert_eq!(versitygw().delete(&after).await.unwrap(), Deleted::Bucket);
    assert_eq!(role(&after.user()).await, None);
}

#[tokio::test]
async fn names_and_owners_that_are_none_are_refused() {
    let bad = Request { bucket: Some("../x?policy".into()), ..request() };
    assert!(matches!(versitygw().ensure(&bad, None).await, Err(Error::Invalid(_))));
    assert!(matches!(versitygw().delete(&bad).await, Err(Error::Invalid(_))));
    let mut nobody = request();
    nobody.owner.fingerprint = String::new();
    assert!(matches!(versitygw().ensure(&nobody, None).await, Err(Error::Invalid(_))));
}

/// What a claim of a bucket depends on: it counts until nothing is left.
#[tokio::test]
async fn a_bucket_or_its_user_is_left_until_both_are_gone() {
    let (provisioner, request) = (versitygw(), request());
    let (bucket, user) = (request.bucket(), request.user());
    let is_left = async |namespace: &str| provisioner.is_left(&bucket, &user, namespace).await.unwrap();
    assert!(!is_left("team").await);
    keys(&provisioner, &request).await;
    assert!(is_left("team").await);
    // Somebody deletes the bucket and forgets its user.
    admin().delete_object().bucket(&bucket).key(MARKER_KEY).send().await.unwrap();
    admin().delete_bucket().bucket(&bucket).send().await.unwrap();
    assert!(is_left("team").await && role(&user).await.is_some());
    keys(&provisioner, &request).await;
    provisioner.delete(&request).await.unwrap();
    assert!(!is_left("team").await);

    // A bucket that an instance only named is not counted for its namespace.
    let theirs = named_request();
    keys(&provisioner, &theirs).await;
    let nobody = self::request().user();
    assert!(provisioner.is_left(&theirs.bucket(), &nobody, "team").await.unwrap());
    assert!(!provisioner.is_left(&theirs.bucket(), &nobody, "other").await.unwrap());
}
