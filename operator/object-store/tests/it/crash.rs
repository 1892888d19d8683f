//! A process that dies between any two requests leaves something that the next one completes.

use operator_object_store::{Deleted, Provisioner, Request};

use super::proxy::Proxy;
use super::s3::{admin, client, exists, put, role};
use super::world::{endpoint, keys, named_request, request, versitygw, versitygw_at};

const MANY: usize = 100;

async fn ensure_converges(new: fn() -> Request) -> usize {
    let (proxy, address) = Proxy::start(&endpoint(), |_| None).await;
    for requests in 0..MANY {
        let request = new();
        let provisioner = versitygw_at(&address);
        let done = proxy.run(requests, provisioner.ensure(&request, None)).await;
        let given = keys(&versitygw(), &request).await;
        put(&client(&given), &request.bucket(), "works", "1").await;
        if done.is_some() {
            return requests;
        }
    }
    panic!("never done");
}

#[tokio::test]
async fn making_a_bucket_of_a_derived_name_converges() {
    assert!(ensure_converges(request).await >= 8);
}

#[tokio::test]
async fn making_a_bucket_of_a_chosen_name_converges() {
    assert!(ensure_converges(named_request).await >= 8);
}

#[tokio::test]
async fn deleting_converges() {
    for new in [request, named_request] {
        let (proxy, address) = Proxy::start(&endpoint(), |_| None).await;
        for requests in 0..=MANY {
            let request = new();
            let given = keys(&versitygw(), &request).await;
            put(&client(&given), &request.bucket(), "blob", "1").await;
            let provisioner = versitygw_at(&address);
            let done = proxy.run(requests, provisioner.delete(&request)).await;
            let again = versitygw().delete(&request).await.unwrap();
            assert!(!matches!(again, Deleted::LeftAlone(_)), "after {requests}: {again:?}");
            assert!(!exists(&admin(), &request.bucket()).await, "after {requests}");
            assert_eq!(role(&request.user()).await, None, "after {requests}");
            if done.is_some() {
                assert!(requests >= 8);
                break;
            }
        }
    }
}
