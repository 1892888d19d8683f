//! AWS, by moto, which checks signatures and policies.

use aws_sdk_iam::types::StatusType;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use operator_object_store::{
    ADOPT_KEY, Access, Aws, AwsSettings, Credential, Deleted, Error, MARKER_KEY, Owner, Provisioner, Request,
    WorkloadIdentity,
};
use secrecy::ExposeSecret;

use super::proxy::Proxy;
use super::s3::{client_at, client_with, code, exists, get, put, signed};
use super::world::{credential, keys, named_request, request, service, unique, variable};

fn moto() -> String {
    variable("AURORA_TEST_MOTO_ENDPOINT")
}

fn admin_keys() -> Credential {
    credential(&variable("AURORA_TEST_MOTO_ACCESS_KEY"), &variable("AURORA_TEST_MOTO_SECRET_KEY"))
}

fn admin() -> aws_sdk_s3::Client {
    client_at(&moto(), &admin_keys())
}

fn iam() -> aws_sdk_iam::Client {
    let admin = admin_keys();
    let keys = Credentials::new(&admin.access_key_id, admin.secret_access_key.expose_secret(), None, None, "test");
    let config = aws_sdk_iam::config::Builder::new().behavior_version(BehaviorVersion::latest());
    let config = config.region(Region::new("us-east-1")).endpoint_url(moto()).credentials_provider(keys);
    aws_sdk_iam::Client::from_conf(config.build())
}

fn settings(endpoint: &str) -> AwsSettings {
    let admin = Some(admin_keys());
    AwsSettings { service: service(endpoint), iam_endpoint: Some(endpoint.into()), admin, workload_identity: None }
}

async fn aws() -> Aws {
    Aws::new(settings(&moto())).await.unwrap()
}

async fn aws_with_roles() -> Aws {
    let identity = WorkloadIdentity {
        oidc_provider_arn: "arn:aws:iam::123456789012:oidc-provider/oidc.test/id".into(),
        oidc_issuer: "https://oidc.test/id".into(),
    };
    Aws::new(AwsSettings { workload_identity: Some(identity), ..settings(&moto()) }).await.unwrap()
}

async fn user_exists(user: &str) -> bool {
    iam().get_user().user_name(user).send().await.is_ok()
}

#[tokio::test]
async fn a_user_reaches_one_bucket_and_nothing_else() {
    let (mine, other) = (request(), request());
    let tenant = keys(&aws().await, &mine).await;
    keys(&aws().await, &other).await;
    let (client, bucket) = (client_at(&moto(), &tenant), mine.bucket());
    put(&client, &bucket, "a/b", "bytes").await;
    assert_eq!(get(&client, &bucket, "a/b").await.as_deref(), Some("bytes"));
    client.list_objects_v2().bucket(&bucket).send().await.unwrap();
    client.delete_object().bucket(&bucket).key("a/b").send().await.unwrap();
    assert!(get(&client, &bucket, MARKER_KEY).await.is_some());
    assert_eq!(code(client.put_object().bucket(&bucket).key(MARKER_KEY).send().await), "AccessDenied");
    assert_eq!(code(client.delete_object().bucket(&bucket).key(MARKER_KEY).send().await), "AccessDenied");
    assert_eq!(code(client.list_objects_v2().bucket(other.bucket()).send().await), "AccessDenied");
    assert_eq!(code(client.get_object().bucket(other.bucket()).key(MARKER_KEY).send().await), "AccessDenied");
    assert_eq!(code(client.put_bucket_policy().bucket(&bucket).policy("{}").send().await), "AccessDenied");
    let block = admin().get_public_access_block().bucket(&bucket).send().await.unwrap();
    assert_eq!(block.public_access_block_configuration().unwrap().restrict_public_buckets(), Some(true));
    let user = iam().get_user().user_name(mine.user()).send().await.unwrap().user.unwrap();
    assert_eq!(user.path(), "/aurora-locus/");
}

#[tokio::test]
async fn a_key_is_kept_while_it_is_the_users_and_works() {
    let (provisioner, request) = (aws().await, request());
    let first = keys(&provisioner, &request).await;
    let ensure = async |kept: &Credential| match provisioner.ensure(&request, Some(kept)).await.unwrap() {
        Access::Keys(keys) => keys,
        Access::Role { arn } => panic!("{arn}"),
    };
    assert_eq!(ensure(&first).await.access_key_id, first.access_key_id);
    // Somebody else's key, though it works, and markup.
    for hostile in [admin_keys(), credential("x</a>", "p</Secret><Role>admin</Role>"), credential("", "")] {
        let given = ensure(&hostile).await;
        assert_ne!(given.access_key_id, hostile.access_key_id);
        put(&client_at(&moto(), &given), &request.bucket(), "works", "1").await;
    }
    // The right id with a wrong secret.
    let now = keys(&provisioner, &request).await;
    let given = ensure(&credential(&now.access_key_id, "wrong")).await;
    assert_ne!(given.access_key_id, now.access_key_id);
    let found = iam().list_access_keys().user_name(request.user()).send().await.unwrap().access_key_metadata;
    assert_eq!(found.len(), 1, "the others are gone");
    // A key that an administrator switched off.
    let off = iam().update_access_key().user_name(request.user()).access_key_id(&given.access_key_id);
    off.status(StatusType::Inactive).send().await.unwrap();
    assert_ne!(ensure(&given).await.access_key_id, given.access_key_id);
    admin().list_buckets().send().await.unwrap();
}

#[tokio::test]
async fn a_user_of_somebody_else_is_untouched() {
    let request = request();
    let user = request.user();
    iam().create_user().user_name(&user).send().await.unwrap();
    let theirs = iam().create_access_key().user_name(&user).send().await.unwrap().access_key.unwrap();
    let kept = credential(theirs.access_key_id(), theirs.secret_access_key());
    let error = aws().await.ensure(&request, Some(&kept)).await.unwrap_err();
    assert!(matches!(&error, Error::UserNotOwned { user: found, .. } if *found == user), "{error}");
    aws().await.delete(&request).await.unwrap();
    let found = iam().list_access_keys().user_name(&user).send().await.unwrap().access_key_metadata;
    assert_eq!(found.len(), 1);
    assert!(iam().list_user_policies().user_name(&user).send().await.unwrap().policy_names.is_empty());
    // An instance of the same name on another cluster: other keys, other owner.
    let first = super::world::request();
    keys(&aws().await, &first).await;
    let owner = Owner { cluster: "two".into(), fingerprint: unique(), ..first.owner.clone() };
    let second = Request { owner, bucket: Some(format!("second-{}", unique())), ..first.clone() };
    assert!(matches!(aws().await.ensure(&second, None).await, Err(Error::UserNotOwned { .. })));
    assert_eq!(aws().await.delete(&second).await.unwrap(), Deleted::Bucket);
    assert!(user_exists(&first.user()).await);
}

#[tokio::test]
async fn with_workload_identity_there_is_a_role_and_no_keys() {
    let mut request = request();
    // The instance had keys before.
    keys(&aws().await, &request).await;
    let provisioner = aws_with_roles().await;
    assert!(matches!(provisioner.ensure(&request, None).await, Err(Error::Invalid(_))), "for whom?");
    for bad in
        ["system:serviceaccount:team:*", "system:serviceaccount:other:pds", "pds", "system:serviceaccount:team:a:b"]
    {
        request.service_account = Some(bad.into());
        assert!(matches!(provisioner.ensure(&request, None).await, Err(Error::Invalid(_))), "{bad}");
    }
    request.service_account = Some("system:serviceaccount:team:pds".into());
    for _ in 0..2 {
        let Access::Role { arn } = provisioner.ensure(&request, None).await.unwrap() else { panic!() };
        assert!(arn.ends_with(&format!(":role/aurora-locus/{}", request.user())), "{arn}");
    }
    assert!(!user_exists(&request.user()).await, "the keys of before are gone");
    let role = iam().get_role().role_name(request.user()).send().await.unwrap().role.unwrap();
    assert!(role.assume_role_policy_document().unwrap().contains("system%3Aserviceaccount%3Ateam%3Apds"));
    assert_eq!(provisioner.delete(&request).await.unwrap(), Deleted::Bucket);
    assert!(iam().get_role().role_name(request.user()).send().await.is_err());

    let foreign = Request { service_account: request.service_account.clone(), ..super::world::request() };
    let trust = r#"{"Version":"2012-10-17","Statement":[]}"#;
    iam().create_role().role_name(foreign.user()).assume_role_policy_document(trust).send().await.unwrap();
    assert!(matches!(provisioner.ensure(&foreign, None).await, Err(Error::UserNotOwned { .. })));
    provisioner.delete(&foreign).await.unwrap();
    assert!(iam().get_role().role_name(foreign.user()).send().await.is_ok());
}

/// Keys for a role, as a pod gets them for the token of its service account. moto takes any token and wants a signature that AWS does not
/// ask for, so who may take the role is up to the test of the trust policy. What the role may do is enforced.
async fn assume(role: &str) -> Credentials {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "AssumeRoleWithWebIdentity")
        .append_pair("Version", "2011-06-15")
        .append_pair("RoleArn", role)
        .append_pair("RoleSessionName", "pds")
        .append_pair("WebIdentityToken", "token")
        .finish();
    let form_type = "application/x-www-form-urlencoded; charset=utf-8";
    let request = signed(&admin_keys(), ("POST", "sts"), &format!("{}/", moto()), &form);
    let answer = request.header("content-type", form_type).send().await.unwrap();
    let text = answer.text().await.unwrap();
    let value = |name: &str| {
        let found = text.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
        found.unwrap_or_else(|| panic!("no {name} in {text}")).0.to_owned()
    };
    Credentials::new(value("AccessKeyId"), value("SecretAccessKey"), Some(value("SessionToken")), None, "test")
}

#[tokio::test]
async fn whoever_takes_the_role_reaches_one_bucket_and_nothing_else() {
    let provisioner = aws_with_roles().await;
    let role = async |request: &mut Request| {
        request.service_account = Some("system:serviceaccount:team:pds".into());
        match provisioner.ensure(request, None).await.unwrap() {
            Access::Role { arn } => arn,
            Access::Keys(keys) => panic!("{}", keys.access_key_id),
        }
    };
    let (mut mine, mut other) = (request(), request());
    let arn = role(&mut mine).await;
    role(&mut other).await;
    let (bucket, foreign) = (mine.bucket(), other.bucket());
    put(&admin(), &foreign, "blob", "theirs").await;
    let client = client_with(&moto(), assume(&arn).await);

    put(&client, &bucket, "a/b", "bytes").await;
    assert_eq!(get(&client, &bucket, "a/b").await.as_deref(), Some("bytes"));
    client.list_objects_v2().bucket(&bucket).send().await.unwrap();
    client.delete_object().bucket(&bucket).key("a/b").send().await.unwrap();

    assert!(get(&client, &bucket, MARKER_KEY).await.is_some());
    assert_eq!(code(client.put_object().bucket(&bucket).key(MARKER_KEY).send().await), "AccessDenied");
    assert_eq!(code(client.delete_object().bucket(&bucket).key(MARKER_KEY).send().await), "AccessDenied");
    assert_eq!(code(client.put_object().bucket(&bucket).key(ADOPT_KEY).send().await), "AccessDenied");
    assert_eq!(code(client.put_bucket_policy().bucket(&bucket).policy("{}").send().await), "AccessDenied");
    assert_eq!(code(client.list_objects_v2().bucket(&foreign).send().await), "AccessDenied");
    assert_eq!(code(client.get_object().bucket(&foreign).key("blob").send().await), "AccessDenied");
    assert_eq!(code(client.put_object().bucket(&foreign).key("blob").send().await), "AccessDenied");
    assert_eq!(code(client.delete_object().bucket(&foreign).key("blob").send().await), "AccessDenied");
    assert_eq!(code(client.list_buckets().send().await), "AccessDenied");

    // With the instance goes what its pods could do.
    provisioner.delete(&mine).await.unwrap();
    assert_ne!(code(client.list_objects_v2().bucket(&foreign).send().await), "done");
    assert_eq!(get(&admin(), &foreign, "blob").await.as_deref(), Some("theirs"));
}

#[tokio::test]
async fn another_prefix_gives_the_bucket_another_user() {
    let before = request();
    keys(&aws().await, &before).await;
    let after = Request { prefix: Some("other".into()), bucket: Some(before.bucket()), ..before.clone() };
    let new = keys(&aws().await, &after).await;
    put(&client_at(&moto(), &new), &before.bucket(), "works", "1").await;
    assert!(!user_exists(&before.user()).await && user_exists(&after.user()).await);
    assert_eq!(aws().await.delete(&after).await.unwrap(), Deleted::Bucket);
    assert!(!user_exists(&after.user()).await);
}

#[tokio::test]
async fn a_bucket_is_made_in_its_region() {
    let mut settings = settings(&moto());
    settings.service.region = "eu-central-1".into();
    let request = request();
    keys(&Aws::new(settings).await.unwrap(), &request).await;
    let found = admin().get_bucket_location().bucket(request.bucket()).send().await.unwrap();
    assert_eq!(found.location_constraint().unwrap().as_str(), "eu-central-1");
}

#[tokio::test]
async fn making_converges() {
    for (new, most_handed_over) in [(request as fn() -> Request, 0), (named_request, 1)] {
        let (proxy, address) = Proxy::start(&moto(), |_| None).await;
        let through = Aws::new(settings(&address)).await.unwrap();
        let mut handed_over = 0;
        for requests in 0.. {
            let request = new();
            let done = proxy.run(requests, through.ensure(&request, None)).await;
            if let Err(error) = aws().await.ensure(&request, None).await {
                // moto forgets the tags of a new bucket: between its creation and its marker nothing tells who made it. The message names the step.
                assert!(error.to_string().contains("writing an object .aurora-locus/adopt"), "{error}");
                put(&admin(), &request.bucket(), ADOPT_KEY, &format!("team/{}", request.owner.name)).await;
                handed_over += 1;
            }
            let given = keys(&aws().await, &request).await;
            put(&client_at(&moto(), &given), &request.bucket(), "works", "1").await;
            if done.is_some() {
                assert!((8..100).contains(&requests), "{requests}");
                break;
            }
        }
        assert!(handed_over <= most_handed_over, "{handed_over}");
    }
}

#[tokio::test]
async fn deleting_converges() {
    for (new, most_left) in [(request as fn() -> Request, 0), (named_request, 2)] {
        let (proxy, address) = Proxy::start(&moto(), |_| None).await;
        let through = Aws::new(settings(&address)).await.unwrap();
        let mut left = 0;
        for requests in 0.. {
            let request = new();
            keys(&aws().await, &request).await;
            put(&admin(), &request.bucket(), "blob", "1").await;
            let done = proxy.run(requests, through.delete(&request)).await;
            let again = aws().await.delete(&request).await.unwrap();
            assert!(!user_exists(&request.user()).await, "after {requests}");
            if let Deleted::LeftAlone(_) = again {
                // As above: an empty bucket whose marker is gone already.
                let objects = admin().list_objects_v2().bucket(request.bucket()).send().await.unwrap();
                assert_eq!(objects.key_count(), Some(0), "after {requests}");
                left += 1;
            } else {
                assert!(!exists(&admin(), &request.bucket()).await, "after {requests}");
            }
            if done.is_some() {
                assert!((8..100).contains(&requests), "{requests}");
                break;
            }
        }
        assert!(left <= most_left, "{left}");
    }
}

const ACCOUNT_HEADER: &str = "x-amz-expected-bucket-owner";

/// Whether a request is about a bucket that exists: IAM and STS are asked at the root, and a bucket is created by a PUT of its name alone.
fn is_about_a_bucket(request: &axum::extract::Request) -> bool {
    let uri = request.uri();
    let has_subresource = uri.query().is_some_and(|query| query != "x-id=CreateBucket");
    let is_creation = request.method() == "PUT" && !uri.path().trim_matches('/').contains('/') && !has_subresource;
    uri.path() != "/" && !is_creation
}

/// Names of buckets are the same for all of AWS: somebody else may have made the bucket and opened it to everybody.
#[tokio::test]
async fn every_request_names_the_account_that_the_bucket_must_belong_to() {
    let (_, address) = Proxy::start(&moto(), |request| {
        let is_named = request.headers().get(ACCOUNT_HEADER).is_some_and(|account| account == "123456789012");
        (is_about_a_bucket(request) && !is_named).then_some((403, "AccessDenied"))
    })
    .await;
    let (request, provisioner) = (request(), Aws::new(settings(&address)).await.unwrap());
    keys(&provisioner, &request).await;
    put(&admin(), &request.bucket(), "a/b", "bytes").await;
    while provisioner.delete(&request).await.unwrap() == Deleted::InPart {}
    assert!(!exists(&admin(), &request.bucket()).await);
}

#[tokio::test]
async fn a_bucket_of_another_account_is_told() {
    let (_, address) = Proxy::start(&moto(), |request| {
        (is_about_a_bucket(request) && request.headers().contains_key(ACCOUNT_HEADER)).then_some((403, "AccessDenied"))
    })
    .await;
    let request = request();
    let error = Aws::new(settings(&address)).await.unwrap().ensure(&request, None).await.unwrap_err().to_string();
    let why = format!("bucket {} does not belong to account 123456789012", request.bucket());
    assert!(error.contains(&why), "{error}");
}

/// What a claim of a bucket depends on: it counts until nothing is left.
#[tokio::test]
async fn a_bucket_its_user_or_its_role_is_left_until_all_are_gone() {
    for provisioner in [aws().await, aws_with_roles().await] {
        let mut request = request();
        request.service_account = Some(format!("system:serviceaccount:team:{}", request.owner.name));
        let (bucket, user) = (request.bucket(), request.user());
        let is_left = async || provisioner.is_left(&bucket, &user, "team").await.unwrap();
        assert!(!is_left().await);
        provisioner.ensure(&request, None).await.unwrap();
        assert!(is_left().await);
        admin().delete_object().bucket(&bucket).key(MARKER_KEY).send().await.unwrap();
        admin().delete_bucket().bucket(&bucket).send().await.unwrap();
        assert!(is_left().await, "its user or role");
        provisioner.delete(&request).await.unwrap();
        assert!(!is_left().await);
    }
}
