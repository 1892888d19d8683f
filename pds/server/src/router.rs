//! Every route.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    handler::Handler,
    http::{HeaderName, Method, StatusCode, Uri},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use std::time::Duration;
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::{AllowHeaders, AllowOrigin, CorsLayer},
};

use crate::{
    api::{admin, identity, repo, server, sync},
    app::App,
    http::{Answers, health, host, layers, rate_limit, well_known},
    xrpc::XrpcError,
};

/// Maximum size of JSON inputs, and of those that may contain records; in bytes.
const BODY_BYTES: usize = 150 * 1024;
const WRITE_BYTES: usize = 1024 * 1024;

/// What the public port answers.
pub fn public(app: App) -> Router {
    let answers = Answers::new(app.sizes.answer_bytes);
    Router::new()
        .route("/", get(well_known::banner))
        .route("/robots.txt", get(well_known::robots))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/xrpc/_health", get(health::xrpc))
        .route("/.well-known/atproto-did", get(well_known::atproto_did))
        .route("/.well-known/did.json", get(well_known::did_json))
        .merge(methods())
        .route("/xrpc/{method}", axum::routing::any(unknown_method))
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(answers, layers::bound_answers))
        // Harder would cost more than making most answers, and a megabyte and more for each that is under way.
        .layer(CompressionLayer::new().gzip(true).zstd(true).quality(CompressionLevel::Fastest))
        .merge(uncompressed())
        .layer(middleware::from_fn_with_state(app.clone(), rate_limit::limit))
        .layer(middleware::from_fn_with_state(app.clone(), host::check))
        .layer(cors())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(app.clone(), layers::observe))
        .layer(middleware::from_fn(layers::read_rest_of_body))
        .layer(middleware::from_fn(layers::occupy))
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

fn methods() -> Router<App> {
    let small = DefaultBodyLimit::max(BODY_BYTES);
    let writes = DefaultBodyLimit::max(WRITE_BYTES);
    let base = Router::new()
        .route("/xrpc/com.atproto.server.describeServer", query(server::describe_server))
        .route("/xrpc/com.atproto.server.createAccount", procedure(server::create_account))
        .route("/xrpc/com.atproto.server.createSession", procedure(server::create_session))
        .route("/xrpc/com.atproto.server.refreshSession", procedure(server::refresh_session))
        .route("/xrpc/com.atproto.server.getSession", query(server::get_session))
        .route("/xrpc/com.atproto.server.deleteSession", procedure(server::delete_session))
        .route("/xrpc/com.atproto.server.createInviteCode", procedure(server::create_invite_code))
        .route("/xrpc/com.atproto.server.createInviteCodes", procedure(server::create_invite_codes))
        .route("/xrpc/com.atproto.admin.getSubjectStatus", query(admin::get_subject_status))
        .route("/xrpc/com.atproto.admin.updateSubjectStatus", procedure(admin::update_subject_status))
        .route("/xrpc/com.atproto.identity.resolveHandle", query(identity::resolve_handle))
        .route("/xrpc/com.atproto.identity.updateHandle", procedure(identity::update_handle))
        .route("/xrpc/com.atproto.repo.deleteRecord", procedure(repo::delete_record))
        .route("/xrpc/com.atproto.repo.getRecord", query(repo::get_record))
        .route("/xrpc/com.atproto.repo.listRecords", query(repo::list_records))
        .route("/xrpc/com.atproto.repo.listMissingBlobs", query(repo::list_missing_blobs))
        .route("/xrpc/com.atproto.repo.describeRepo", query(repo::describe_repo))
        .route("/xrpc/com.atproto.sync.getRepo", query(sync::get_repo))
        .route("/xrpc/com.atproto.sync.getRecord", query(sync::get_record))
        .route("/xrpc/com.atproto.sync.getBlocks", query(sync::get_blocks))
        .route("/xrpc/com.atproto.sync.listBlobs", query(sync::list_blobs))
        .route("/xrpc/com.atproto.sync.listRepos", query(sync::list_repos))
        .route("/xrpc/com.atproto.sync.getLatestCommit", query(sync::get_latest_commit))
        .route("/xrpc/com.atproto.sync.getRepoStatus", query(sync::get_repo_status))
        .layer(small);
    let records = Router::new()
        .route("/xrpc/com.atproto.repo.createRecord", procedure(repo::create_record))
        .route("/xrpc/com.atproto.repo.putRecord", procedure(repo::put_record))
        .route("/xrpc/com.atproto.repo.applyWrites", procedure(repo::apply_writes))
        .layer(writes);
    // Their own limits are checked while they stream.
    let streams = Router::new()
        .route("/xrpc/com.atproto.repo.importRepo", procedure(repo::import_repo))
        .route("/xrpc/com.atproto.repo.uploadBlob", procedure(repo::upload_blob))
        .layer(DefaultBodyLimit::disable());
    base.merge(records).merge(streams)
}

/// Blobs are served as they are, so that their length, ranges and tag stay true; frames have a socket of their own.
fn uncompressed() -> Router<App> {
    Router::new()
        .route("/xrpc/com.atproto.sync.getBlob", query(sync::get_blob))
        .route("/xrpc/com.atproto.sync.subscribeRepos", query(sync::subscribe_repos))
}

fn query<H: Handler<T, App>, T: 'static>(handler: H) -> MethodRouter<App> {
    get(handler).fallback(|method: Method| async move { wrong_verb(&method, "GET") })
}

fn procedure<H: Handler<T, App>, T: 'static>(handler: H) -> MethodRouter<App> {
    post(handler).fallback(|method: Method| async move { wrong_verb(&method, "POST") })
}

fn wrong_verb(method: &Method, expected: &str) -> XrpcError {
    XrpcError::invalid(format!("Incorrect HTTP method ({method}) expected {expected}"))
}

async fn unknown_method(uri: Uri) -> XrpcError {
    let name = uri.path().strip_prefix("/xrpc/").unwrap_or_default();
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
        return invalid_path();
    }
    XrpcError::new(StatusCode::NOT_IMPLEMENTED, "MethodNotImplemented", "Method Not Implemented")
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
        .allow_methods([Method::GET, Method::POST, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE])
        .expose_headers(exposed.map(HeaderName::from_static))
        .max_age(Duration::from_secs(24 * 60 * 60))
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked: the request was answered 500");
    XrpcError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error").into_response()
}
