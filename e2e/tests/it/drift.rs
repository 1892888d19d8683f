//! The operator reverts manual changes of its objects and re-creates deleted ones.

use anyhow::Result;
use e2e::{
    Instance,
    wait::{self, SHORT},
};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

#[tokio::test]
async fn drift_is_repaired_and_a_deleted_child_comes_back() -> Result<()> {
    let instance = Instance::ready("drift").await?;
    let deployments: Api<Deployment> = instance.cluster.api(&instance.namespace);
    deployments.patch(&instance.name, &PatchParams::default(), &Patch::Merge(json!({"spec": {"replicas": 1}}))).await?;
    wait::until("two replicas again", SHORT, async || {
        let replicas = deployments.get(&instance.name).await?.spec.and_then(|spec| spec.replicas);
        if replicas == Some(2) { Ok(()) } else { wait::not_yet(format!("{replicas:?}")) }
    })
    .await?;

    let services: Api<Service> = instance.cluster.api(&instance.namespace);
    let before = services.get(&instance.name).await?.metadata.uid;
    services.delete(&instance.name, &DeleteParams::default()).await?;
    wait::until("the Service is back", SHORT, async || match services.get_opt(&instance.name).await? {
        Some(service) if service.metadata.uid != before => Ok(()),
        _ => wait::not_yet("not yet"),
    })
    .await?;
    instance.wait_ready().await?;
    instance.clean_up().await
}
