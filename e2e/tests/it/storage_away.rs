//! Without the S3 service records and sessions go on; the condition says what does not.

use anyhow::Result;
use e2e::{
    Instance, stock,
    wait::{self, LONG},
};
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::json;

#[tokio::test]
async fn without_s3_records_go_on_and_the_condition_tells() -> Result<()> {
    let instance = Instance::prepare("away").await?;
    let cluster = &instance.cluster;
    let pods: Vec<Pod> = cluster.pods("platform", "app=s3").await?;
    let address = pods.first().and_then(|pod| pod.status.as_ref()?.pod_ip.clone()).unwrap_or_default();

    // A name of its own for the S3 service, which this test can take away from one instance alone.
    let service: Service = serde_json::from_value(json!({
        "metadata": {"name": "s3"}, "spec": {"ports": [{"name": "s3", "port": 7070}]},
    }))?;
    cluster.api::<Service>(&instance.namespace).create(&PostParams::default(), &service).await?;
    let slice: EndpointSlice = serde_json::from_value(json!({
        "metadata": {"name": "s3", "labels": {"kubernetes.io/service-name": "s3"}},
        "addressType": "IPv4", "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
        "ports": [{"name": "s3", "port": 7070, "protocol": "TCP"}],
    }))?;
    let slices: Api<EndpointSlice> = cluster.api(&instance.namespace);
    slices.create(&PostParams::default(), &slice).await?;

    // The tenant brings the bucket, so the operator asks nothing of the service.
    let bucket = format!("given-{}", instance.namespace);
    cluster.s3(None).create_bucket().bucket(&bucket).send().await?;
    let (access, secret) = cluster.s3_administrator();
    let endpoint = format!("http://s3.{}.svc:7070", instance.namespace);
    let given: Secret = serde_json::from_value(json!({
        "metadata": {"name": "bucket"},
        "stringData": {
            "bucket": bucket, "endpoint": endpoint, "region": "us-east-1", "pathStyle": "true",
            "accessKeyId": access, "secretAccessKey": secret,
        },
    }))?;
    cluster.api::<Secret>(&instance.namespace).create(&PostParams::default(), &given).await?;
    let class = cluster.class_with_given_buckets(&instance.namespace).await?;
    instance.apply(json!({"className": class, "blobStore": {"s3": {"secretName": "bucket"}}})).await?;
    instance.wait_ready().await?;
    let pds = instance.pds().await?;
    let account = pds.sign_up("rita", &instance.admin_password().await?).await?;
    account.upload_blob(b"plain text".to_vec(), "text/plain").await?;

    slices.delete("s3", &DeleteParams::default()).await?;
    wait::until("the condition tells", LONG, async || {
        let (status, reason, message) = instance.condition("BlobStoreReady").await?;
        if status == "False" && reason == "BlobStoreUnavailable" {
            Ok(())
        } else {
            wait::not_yet(format!("{status} {reason}: {message}"))
        }
    })
    .await?;
    account.post("without a blob store").await?;
    assert_eq!(stock::repository(cluster, &pds, &account.did).await?.records.len(), 1);
    assert_eq!(instance.condition("WorkloadAvailable").await?.0, "True");
    // A pod that starts now becomes ready, too.
    let first = instance.pds_pods().await?.first().and_then(|pod| pod.metadata.name.clone()).unwrap_or_default();
    cluster.kill_pod(&instance.namespace, &first).await?;
    wait::until("two pods are ready", LONG, async || {
        let ready = instance.status().await?["readyReplicas"].as_i64();
        let pods = instance.pds_pods().await?;
        let same = pods.iter().any(|pod| pod.metadata.name.as_deref() == Some(&first));
        if ready == Some(2) && !same { Ok(()) } else { wait::not_yet(format!("{ready:?}")) }
    })
    .await?;
    slices.create(&PostParams::default(), &slice).await?;
    instance.wait_ready().await?;
    cluster.delete_class(&class).await?;
    instance.clean_up().await
}
