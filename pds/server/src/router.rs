//! Every route.

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    http::{Extensions, HeaderMap, HeaderName, Method as Verb, StatusCode, Uri, Version},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, any, get},
};
use pds_lexicon::{Catalog, Kind};
use std::time::Duration;
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, Predicate},
    },
    cors::{AllowHeaders, AllowOrigin, CorsLayer},
};

use crate::{
    api::{
        proxy::{self, Policies},
        table::{self, Input, METHODS},
    },
    app::App,
    auth::{self, Requirement},
    http::{
        Answers, Plain, client, health, host, layers, openapi,
        rate_limit::{self, LimitsOf},
        well_known,
    },
    rate_limit::Budget,
    xrpc::{self, XrpcError},
};

/// Maximum size of JSON inputs, and of those that may contain records; in bytes.
const SHORT_BYTES: usize = 32 * 1024;
const BODY_BYTES: usize = 150 * 1024;
const WRITE_BYTES: usize = 1024 * 1024;

/// What the public port answers.
pub fn public(app: App) -> Router {
    let answers = Answers::new(app.answers.clone());
    let open_requests = Budget::shared(app.sizes.requests, app.sizes.requests / 8);
    Router::new()
        .route("/", get(well_known::banner))
        .route("/robots.txt", get(well_known::robots))
        .route("/openapi.json", get(openapi::json))
        .route("/openapi", get(openapi::html))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/xrpc/_health", get(health::xrpc))
        .route("/.well-known/atproto-did", get(well_known::atproto_did))
        .route("/.well-known/did.json", get(well_known::did_json))
        .merge(methods(&app, true))
        .route("/xrpc/{method}", other_methods(&app))
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(answers, layers::bound_answers))
        // Harder would cost more than making most answers, and a megabyte and more for each that is under way.
        .layer(
            CompressionLayer::new()
                .gzip(true)
                .zstd(true)
                .quality(CompressionLevel::Fastest)
                .compress_when(DefaultPredicate::new().and(has_room)),
        )
        .merge(methods(&app, false))
        .layer(Extension(Policies(table::policy)))
        .layer(middleware::from_fn_with_state((app.clone(), table::limits_of as LimitsOf), rate_limit::limit))
        .layer(middleware::from_fn_with_state(app.clone(), host::check))
        .layer(cors())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(open_requests, layers::bound_requests))
        .layer(middleware::from_fn_with_state(app.clone(), layers::observe))
        .layer(middleware::from_fn(layers::read_rest_of_body))
        .layer(middleware::from_fn(layers::occupy))
        .layer(middleware::from_fn_with_state(app.clone(), client::identify))
        .with_state(app)
}

/// What the metrics port answers. It is not for the public.
pub fn metrics(app: App) -> Router {
    Router::new()
        .route("/metrics", get(health::metrics))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .with_state(app)
}

/// The methods of the table, those that may be compressed or the others.
fn methods(app: &App, compressed: bool) -> Router<App> {
    METHODS.iter().filter(|method| method.compressed == compressed).fold(Router::new(), |router, method| {
        let lexicon = Catalog::bundled().method(method.nsid).expect("a test finds the lexicon of each method");
        let verb = match lexicon.kind() {
            Kind::Query | Kind::Subscription => MethodFilter::GET,
            Kind::Procedure => MethodFilter::POST,
        };
        let size = match method.input {
            Input::Short => DefaultBodyLimit::max(SHORT_BYTES),
            Input::Small => DefaultBodyLimit::max(BODY_BYTES),
            Input::Records => DefaultBodyLimit::max(WRITE_BYTES),
            Input::Stream => DefaultBodyLimit::disable(),
        };
        let expected = if verb == MethodFilter::GET { "GET" } else { "POST" };
        let credential = (app.clone(), method.requirement, method.needs_email);
        let mut handler = (method.handler)(verb).layer(size);
        if lexicon.kind() == Kind::Procedure && lexicon.input_encoding().is_none() {
            handler = handler.layer(middleware::from_fn(xrpc::refuse_body));
        }
        #[cfg(debug_assertions)]
        let handler = handler.layer(middleware::from_fn_with_state(lexicon, xrpc::check_output));
        let handler = handler
            .layer(middleware::from_fn_with_state(credential, auth::authorize))
            .fallback(move |verb: Verb| async move { wrong_verb(&verb, expected) });
        router.route(&format!("/xrpc/{}", method.nsid), handler)
    })
}

fn wrong_verb(method: &Verb, expected: &str) -> XrpcError {
    XrpcError::invalid(format!("Incorrect HTTP method ({method}) expected {expected}"))
}

/// Whether there is memory to compress an answer.
fn has_room(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<Plain>().is_none()
}

/// The methods that other services answer.
fn other_methods(app: &App) -> MethodRouter<App> {
    any(proxy::forward)
        .layer(middleware::from_fn_with_state((app.clone(), Requirement::Account, None), auth::authorize))
        .layer(middleware::from_fn_with_state(app.clone(), proxy::screen))
}

async fn nothing_here(uri: Uri) -> Response {
    if uri.path().starts_with("/xrpc/") {
        return invalid_path().into_response();
    }
    (StatusCode::NOT_FOUND, "Not found").into_response()
}

fn invalid_path() -> XrpcError {
    XrpcError::invalid("invalid xrpc path")
}

/// Any origin, no credentials: sessions are headers that the client sets itself.
fn cors() -> CorsLayer {
    let exposed = [
        "atproto-repo-rev",
        "atproto-content-labelers",
        "atproto-upstream-lag",
        "accept-ranges",
        "content-range",
        "etag",
        "x-request-id",
        "dpop-nonce",
        "www-authenticate",
        "retry-after",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "ratelimit-policy",
    ];
    CorsLayer::new()
        .allow_origin(AllowOrigin::any())
        .allow_headers(AllowHeaders::mirror_request())
        .allow_methods([Verb::GET, Verb::POST, Verb::HEAD, Verb::PUT, Verb::PATCH, Verb::DELETE])
        .expose_headers(exposed.map(HeaderName::from_static))
        .max_age(Duration::from_secs(24 * 60 * 60))
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked: the request was answered 500");
    XrpcError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error").into_response()
}
