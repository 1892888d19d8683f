//! The chart upgraded and uninstalled.

use anyhow::{Context, Result};
use e2e::{
    Cluster, Instance,
    helm::{CHART, RELEASE, helm},
    wait::{self, LONG, SHORT},
};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{Namespace, Secret},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, ResourceExt, api::PostParams};
use serde_json::{Value, json};

const DEFINITION: &str = "pdsinstances.auroralocus.dev";
const TLS: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/tls";

/// The definition of `PdsInstance` in the cluster.
async fn definition(cluster: &Cluster) -> Result<Value> {
    let api = Api::<CustomResourceDefinition>::all(cluster.client.clone());
    Ok(serde_json::to_value(api.get(DEFINITION).await?)?)
}

/// F65: Helm never upgrades what a chart has in its folder `crds`. A Job of the chart does. While the definition is older, the API server drops a field
/// of every instance, so `e2e/run` runs this test alone.
#[tokio::test]
async fn an_upgrade_of_the_chart_brings_the_definitions_along() -> Result<()> {
    let instance = Instance::prepare("upgraded").await?;
    let cluster = &instance.cluster;
    let spec = json!({"database": {"sqlite": {}}});

    let mut older = definition(cluster).await?;
    let (parent, field) = TLS.rsplit_once('/').context("a path")?;
    older.pointer_mut(parent).and_then(Value::as_object_mut).and_then(|known| known.remove(field)).context(TLS)?;
    let api = Api::<CustomResourceDefinition>::all(cluster.client.clone());
    api.replace(DEFINITION, &PostParams::default(), &serde_json::from_value(older)?).await?;
    wait::until("spec.tls is unknown", SHORT, async || match instance.apply(spec.clone()).await {
        Err(error) if error.to_string().contains(".spec.tls") => Ok(()),
        other => wait::not_yet(format!("{other:?}")),
    })
    .await?;

    helm(&["upgrade", RELEASE, CHART, "--reuse-values"], RELEASE, &Value::Null).await?;
    assert!(definition(cluster).await?.pointer(TLS).is_some());
    wait::until("spec.tls is known", SHORT, async || Ok(instance.apply(spec.clone()).await?)).await?;
    instance.wait_ready().await?;
    assert_eq!(instance.status().await?["url"], format!("https://{}", instance.hostname));
    instance.clean_up().await
}

/// Installs the chart a second time, with a class of its own, for one namespace. Returns the namespace of the release, which is the name of
/// the class too.
async fn install(cluster: &Cluster, namespace: &str) -> Result<String> {
    let home = cluster.namespace("second").await?;
    let admin = cluster.api::<Secret>(RELEASE).get("s3-admin").await?;
    let copy: Secret = serde_json::from_value(json!({"metadata": {"name": "s3-admin"}, "data": admin.data}))?;
    cluster.api::<Secret>(&home).create(&PostParams::default(), &copy).await?;

    let operator = cluster.api::<Deployment>(RELEASE).get(RELEASE).await?;
    let image = operator.spec.and_then(|spec| spec.template.spec?.containers.into_iter().next()?.image);
    let image = image.context("the operator has no image")?;
    let (repository, tag) = image.rsplit_once(':').context("the operator's image has no tag")?;
    let mut class = cluster.class("standard").await?;
    class["default"] = json!(false);
    let values = json!({
        "image": {"repository": repository, "tag": tag}, "replicas": 1,
        "controllerName": format!("e2e.test/{home}"), "namespaces": [namespace], "className": home, "class": class,
    });
    helm(&["install", "second", CHART], &home, &values).await?;
    Ok(home)
}

/// F58: without the operator nobody carries out a deletion policy, and nothing waits for it.
#[tokio::test]
async fn an_instance_and_its_namespace_end_after_the_operator_is_uninstalled() -> Result<()> {
    let instance = Instance::prepare("left").await?;
    let cluster = &instance.cluster;
    let home = install(cluster, &instance.namespace).await?;
    let delete = json!({"database": "Delete", "blobs": "Delete", "keys": "Delete"});
    instance.apply(json!({"className": home, "deletionPolicy": delete})).await?;
    instance.wait_ready().await?;
    let finalizers = async || -> Result<Vec<String>> {
        Ok(cluster.instances(&instance.namespace).get(&instance.name).await?.finalizers().to_vec())
    };
    assert_eq!(finalizers().await?, ["auroralocus.dev/data"]);
    let bucket = instance.status().await?["blobStore"]["bucket"].as_str().context("no bucket")?.to_owned();

    helm(&["uninstall", "second"], &home, &Value::Null).await?;
    assert_eq!(finalizers().await?, [""; 0]);
    assert_eq!(instance.pds_pods().await?.len(), 2, "instances outlive the operator");

    cluster.delete_namespace(&instance.namespace).await?;
    let namespaces = Api::<Namespace>::all(cluster.client.clone());
    wait::until("the namespace is gone", LONG, async || match namespaces.get_opt(&instance.namespace).await? {
        None => Ok(()),
        Some(namespace) => wait::not_yet(format!("{:?}", namespace.status)),
    })
    .await?;
    cluster.s3(None).head_bucket().bucket(&bucket).send().await.context("blobs are retained then")?;
    cluster.delete_class(&home).await?;
    cluster.delete_namespace(&home).await
}
