//! XRPC behaviour through a real listener, on SQLite and on Postgres. Folders mirror `src/api`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod account;
mod actor;
mod admin;
mod blob;
mod command;
mod crash;
mod differential;
mod feed;
mod harness;
mod http;
mod identity;
mod job;
mod lexicon;
mod mail;
mod moderation;
mod moving;
mod notification;
mod proxy;
mod repo;
mod sequencer;
mod server;
mod sync;
mod temp;

/// Runs a story on SQLite and on Postgres.
macro_rules! on_both {
    ($name:ident, $story:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "not every story names what its file imports")]
            use super::*;

            #[tokio::test]
            async fn sqlite() {
                let story: fn(crate::harness::TestPds) -> _ = $story;
                story(crate::harness::TestPds::sqlite().await).await
            }

            #[tokio::test]
            async fn postgres() {
                let story: fn(crate::harness::TestPds) -> _ = $story;
                story(crate::harness::TestPds::postgres().await).await
            }
        }
    };
}
pub(crate) use on_both;

/// Runs a story with further settings and real blobs: in a folder beside SQLite, on an S3 server beside Postgres.
macro_rules! on_places {
    ($name:ident, $settings:expr, $story:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "not every story names what its file imports")]
            use super::*;
            use std::sync::Arc;

            use crate::harness::{Database, Place, TestPds};

            async fn run(database: Database, place: Place) {
                let mut settings = place.settings();
                settings.extend($settings.map(|(name, value): (&'static str, &str)| (name, value.to_owned())));
                let (story, place): (fn(TestPds, Arc<Place>) -> _, _) = ($story, Arc::new(place));
                story(TestPds::with(database, &settings).await, place.clone()).await
            }

            #[tokio::test]
            async fn disk() {
                run(Database::sqlite(), Place::disk()).await
            }

            #[tokio::test]
            async fn s3() {
                run(Database::postgres().await, Place::s3()).await
            }
        }
    };
}
pub(crate) use on_places;

/// Runs a story with a mail server and further settings, on SQLite and on Postgres.
macro_rules! on_both_mailed {
    ($name:ident, $settings:expr, $story:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "not every story names what its file imports")]
            use super::*;
            use std::sync::Arc;

            use crate::harness::{Database, Mailpit, TestPds};

            async fn run(database: Database) {
                let mail = Arc::new(Mailpit::shared());
                let pds = TestPds::mailed(database, &mail, &$settings).await;
                let story: fn(TestPds, Arc<Mailpit>) -> _ = $story;
                story(pds, mail).await
            }

            #[tokio::test]
            async fn sqlite() {
                run(Database::sqlite()).await
            }

            #[tokio::test]
            async fn postgres() {
                run(Database::postgres().await).await
            }
        }
    };
}
pub(crate) use on_both_mailed;
