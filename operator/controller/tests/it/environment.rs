//! Where the services of the tests are.

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

pub(crate) async fn config() -> Config {
    let path = variable("AURORA_TEST_KUBECONFIG");
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
}

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set; `make test` starts what the tests need and sets it"))
}
