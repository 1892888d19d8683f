//! The credentials of one instance give no access to the database and the bucket of another.

use anyhow::Result;
use e2e::Instance;

#[tokio::test]
async fn credentials_of_one_instance_open_nothing_of_another() -> Result<()> {
    let (one, two) = tokio::try_join!(Instance::ready("tenant-a"), Instance::ready("tenant-b"))?;
    // Database: the other instance's server refuses the password.
    let (own, other) = (one.database_uri().await?, two.database_uri().await?);
    let (credentials, _) = own.split_once('@').unwrap_or_default();
    let (_, address) = other.split_once('@').unwrap_or_default();
    let refused = one.cluster.psql(&format!("{credentials}@{address}"), "select 1").await;
    assert!(refused.is_err_and(|error| error.to_string().contains("password authentication failed")));

    // Bucket: the keys give access to the instance's own bucket only.
    let key = async |name: &str| one.cluster.secret(&one.namespace, &format!("{}-s3", one.name), name).await;
    let (access, secret) = (key("accessKeyId").await?, key("secretAccessKey").await?);
    let client = one.cluster.s3(Some((&access, &secret)));
    let bucket = async |instance: &Instance| -> Result<String> {
        Ok(instance.status().await?["blobStore"]["bucket"].as_str().unwrap_or_default().to_owned())
    };
    let (own, other) = (bucket(&one).await?, bucket(&two).await?);
    assert_ne!(own, other);
    client.list_objects_v2().bucket(&own).send().await?;
    assert!(client.list_objects_v2().bucket(&other).send().await.is_err());
    assert!(client.get_object().bucket(&other).key("anything").send().await.is_err());
    assert!(client.put_object().bucket(&other).key("anything").send().await.is_err());
    assert!(client.create_bucket().bucket("a-bucket-of-my-own").send().await.is_err());
    one.clean_up().await?;
    two.clean_up().await
}
