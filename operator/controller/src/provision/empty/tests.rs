use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{Method, StatusCode};
use operator_api::{Provisioner, S3Class};
use secrecy::SecretString;

use super::super::Credential;
use super::*;

/// An S3 service that knows no versions.
#[derive(Clone, Default)]
struct Service(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    objects: Vec<&'static str>,
    /// Says that it deletes, and does not.
    lies: bool,
    calls: usize,
}

impl Service {
    async fn bucket(&self) -> Bucket {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        let class = S3Class {
            endpoint,
            region: None,
            path_style: None,
            admin_secret_name: "admin".into(),
            provisioner: Provisioner::Static,
        };
        let secret_access_key = SecretString::from("secret");
        Bucket::new(&class, &Credential { access_key_id: "id".into(), secret_access_key })
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(service): State<Service>, method: Method, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let mut shelf = service.shelf();
    shelf.calls += 1;
    let query = query.unwrap_or_default();
    if query.contains("versions") {
        let error = "<Error><Code>NotImplemented</Code><Message>no versions</Message></Error>";
        return (StatusCode::NOT_IMPLEMENTED, error.into());
    }
    if method == Method::POST {
        if !shelf.lies {
            shelf.objects.truncate(0);
        }
        return (StatusCode::OK, "<DeleteResult/>".into());
    }
    if query.contains("uploads") {
        return (StatusCode::OK, "<ListMultipartUploadsResult/>".into());
    }
    let objects = shelf.objects.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>"));
    (StatusCode::OK, format!("<ListBucketResult>{}</ListBucketResult>", objects.collect::<String>()))
}

#[tokio::test]
async fn a_service_without_versions_is_emptied_too() {
    let service = Service::default();
    service.shelf().objects = vec!["a", "b/c"];
    service.bucket().await.empty("bucket").await.unwrap();
    assert!(service.shelf().objects.is_empty());
}

#[tokio::test]
async fn a_service_that_keeps_what_it_deletes_is_not_asked_for_ever() {
    let service = Service::default();
    *service.shelf() = Shelf { objects: vec!["a"], lies: true, calls: 0 };
    let error = service.bucket().await.empty("bucket").await.unwrap_err().to_string();
    assert!(error.contains("still lists them") && service.shelf().calls < 10, "{error}");
}
