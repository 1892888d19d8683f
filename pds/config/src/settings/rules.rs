//! Rules that concern several settings. Rules for a single value belong to its codec.

use super::identity::Identity;
use super::service::Service;
use super::storage::Database;
use crate::reader::Reader;
use crate::table::setting;

pub(super) fn check(service: &Service, identity: &Identity, database: &Database, reader: &mut Reader<'_>) {
    if service.port == service.metrics_port && service.port != 0 {
        let port = service.metrics_port.to_string();
        reader.refuse(&setting::METRICS_PORT, Some(port), "is the same port as PDS_PORT; allowed: another port");
    }
    let did = &service.did;
    if did.method() == "web" && did.method_specific().contains(':') {
        let message =
            "has a path; allowed: did:web of a host name, because its document is served at /.well-known/did.json";
        reader.refuse(&setting::SERVICE_DID, Some(did.to_string()), message);
    }
    if did.method() == "web" && did.method_specific().contains('%') && !service.is_plain_http() {
        let message = "has a port; allowed only on localhost and in development mode, because other servers resolve a did:web with https on port 443";
        reader.refuse(&setting::SERVICE_DID, Some(did.to_string()), message);
    }
    if identity.did_cache_stale_ttl > identity.did_cache_max_ttl {
        let general = reader.is_set(&setting::CACHE_DID_DOC_TTL) && !reader.is_set(&setting::DID_CACHE_STALE_TTL);
        let name = if general { &setting::CACHE_DID_DOC_TTL } else { &setting::DID_CACHE_STALE_TTL };
        let value = (name.codec.render)(&identity.did_cache_stale_ttl);
        let message = format!("is longer than PDS_DID_CACHE_MAX_TTL={}", identity.did_cache_max_ttl.as_millis());
        reader.refuse(name, Some(value), message);
    }
    check_database(database, reader);
}

pub(super) fn check_database(database: &Database, reader: &mut Reader<'_>) {
    if let Some(max) = database.max_connections
        && max < database.min_connections
    {
        let message = format!("is more than POSTGRES_MAX_CONNECTIONS={max}");
        reader.refuse(&setting::POSTGRES_MIN_CONNECTIONS, Some(database.min_connections.to_string()), message);
    }
}
