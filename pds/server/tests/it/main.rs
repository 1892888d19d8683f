//! XRPC behaviour through a real listener, on SQLite and on Postgres. Folders mirror `src/api`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod command;
mod crash;
mod harness;
mod http;
mod identity;
mod repo;
mod server;
mod sync;

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
