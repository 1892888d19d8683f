//! Prepares the records of one request: finds their schemas, and has them checked and encoded.

use std::time::Duration;

use pds_lexicon::Catalog;
use pds_store::account::Account;
use pds_syntax::{Nsid, RecordKey};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::{
    actor::prepare::{PreparedRecord, Schema},
    app::App,
    http::rate_limit::Meter,
    rate_limit::LEXICONS,
    task::run_blocking,
    xrpc::XrpcError,
};

/// A record with more values is prepared on a thread that may block.
const SHORT: usize = 2_000;
/// A lookup ends long before this.
const LONGEST: Duration = Duration::from_secs(60);

/// The records of one request.
pub(super) struct Preparation<'a> {
    app: &'a App,
    account: &'a Account,
    meter: &'a Meter,
    /// The client's wish: `false` skips validation, `true` requires it, and without it what is known is used.
    validate: Option<bool>,
    /// When the request no longer waits for lexicons.
    until: Instant,
}

impl<'a> Preparation<'a> {
    pub(super) fn new(app: &'a App, account: &'a Account, meter: &'a Meter, validate: Option<bool>) -> Self {
        let until = Instant::now() + app.settings.records.lexicon_timeout.min(LONGEST);
        Self { app, account, meter, validate, until }
    }

    /// A record that may be written.
    pub(super) async fn record(
        &self,
        collection: &Nsid,
        rkey: Option<RecordKey>,
        value: Value,
    ) -> Result<PreparedRecord, XrpcError> {
        let rules = &self.app.record_rules;
        rules.check_collection(collection)?;
        let schema = self.schema(collection).await?;
        let (app, name, validate) = (self.app.clone(), collection.clone(), self.validate);
        let is_long = !has_at_most(&value, &mut { SHORT });
        let prepare = move || app.actors.prepare(&schema, &name, rkey, value, validate);
        let prepared = if is_long { run_blocking(prepare).await } else { prepare() }?;
        rules.check_size(collection, prepared.record.bytes.len())?;
        Ok(prepared)
    }

    async fn schema(&self, collection: &Nsid) -> Result<Schema, XrpcError> {
        let is_settled =
            self.validate == Some(false) || Catalog::bundled().knows(collection) || !collection.is_canonical();
        if is_settled {
            return Ok(Schema::BuiltIn);
        }
        if self.app.settings.records.lexicon_timeout.is_zero() {
            return Ok(Schema::Unknown { reason: None });
        }
        match (self.app.schemas.known(collection).await, self.validate) {
            (Some((Ok(catalog), is_fresh)), _) => {
                if !is_fresh {
                    self.look_up(collection);
                }
                Ok(Schema::Published(catalog))
            }
            (Some((Err(error), true)), _) => Ok(Schema::Unknown { reason: Some(error.to_string()) }),
            (_, Some(true)) => self.wait(collection).await,
            (_, _) => {
                self.look_up(collection);
                Ok(Schema::Unknown { reason: None })
            }
        }
    }

    /// Looks up a schema for the writes after this one.
    fn look_up(&self, collection: &Nsid) {
        let did = &self.account.did;
        let Some(lookup) = self.app.schemas.begin_unwaited(did.as_str(), collection) else { return };
        let (app, meter, did, collection) = (self.app.clone(), self.meter.clone(), did.clone(), collection.clone());
        tokio::spawn(async move {
            if meter.charge(&app, &LEXICONS, did.as_str(), 1).await.is_ok()
                && let Err(error) = app.schemas.resolve(&collection, lookup).await
            {
                tracing::debug!(record.collection = %collection, "records of {collection} are not validated: {error}");
            }
        });
    }

    async fn wait(&self, collection: &Nsid) -> Result<Schema, XrpcError> {
        let did = self.account.did.as_str();
        let busy = || XrpcError::unavailable("Too many lexicons are being looked up, try again", 5);
        let lookup = self.app.schemas.begin(did).ok_or_else(busy)?;
        self.meter.charge(self.app, &LEXICONS, did, 1).await?;
        let reason = match timeout_at(self.until, self.app.schemas.resolve(collection, lookup)).await {
            Ok(Ok(catalog)) => return Ok(Schema::Published(catalog)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it was not found in time".to_owned(),
        };
        Ok(Schema::Unknown { reason: Some(reason) })
    }
}

/// Whether there are at most so many values. Looks at no more.
fn has_at_most(value: &Value, left: &mut usize) -> bool {
    *left = left.saturating_sub(1);
    *left > 0
        && match value {
            Value::Array(items) => items.iter().all(|item| has_at_most(item, left)),
            Value::Object(object) => object.values().all(|item| has_at_most(item, left)),
            _ => true,
        }
}
