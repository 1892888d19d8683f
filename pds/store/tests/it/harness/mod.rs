//! Databases that live as long as one test, and short ways to fill them.

mod fixture;
mod postgres;

use std::{future::Future, time::Duration};

use pds_store::{AccountId, Db, Dialect, Options, Tx};
use pds_syntax::Tid;
use sqlx::Connection;
use tempfile::TempDir;

pub(crate) use fixture::{Alice, T0, cid, did, frame, handle, label, put, rkey, tid};

/// A migrated database of this test's own.
#[derive(Clone)]
pub(crate) struct Store {
    /// The handle under test.
    pub(crate) db: Db,
    /// To open further handles, as other replicas would.
    pub(crate) url: String,
}

impl Store {
    /// A further handle to the same database.
    pub(crate) async fn another(&self) -> Db {
        connect(&self.url).await
    }

    /// A further replica's handle. SQLite serves one process, so there it is the same one.
    pub(crate) async fn replica(&self) -> Db {
        match self.db.dialect() {
            Dialect::Sqlite => self.db.clone(),
            Dialect::Postgres => self.another().await,
        }
    }

    /// Begins a write transaction.
    pub(crate) async fn begin(&self) -> Tx {
        self.db.begin().await.unwrap()
    }

    /// The revision that wrote a record.
    pub(crate) async fn rev(&self, id: AccountId, path: &str) -> Tid {
        const SQL: &str = "select rev from record where repo_id = $1 and path = $2";
        let rev: String = match self.db.dialect() {
            Dialect::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(SQL).bind(id.0).bind(path).fetch_one(&mut connection).await.unwrap()
            }
            Dialect::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(SQL).bind(id.0).bind(path).fetch_one(&mut connection).await.unwrap()
            }
        };
        rev.parse().unwrap()
    }

    /// As [`Store::sql`], of what may be refused.
    pub(crate) async fn try_sql(&self, sql: &'static str) -> sqlx::Result<()> {
        match self.db.dialect() {
            Dialect::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.url).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
            Dialect::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
        }
    }

    /// Waits until a transaction waits for another one's lock. On SQLite a second transaction does not even begin.
    pub(crate) async fn until_somebody_waits(&self) {
        const WAITING: &str = "select count(*) from pg_stat_activity where datname = current_database() \
                               and wait_event_type = 'Lock'";
        if self.db.dialect() == Dialect::Sqlite {
            return;
        }
        let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
        while sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut connection).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Runs SQL that the store itself has no reason to run.
    pub(crate) async fn sql(&self, sql: &'static str) {
        match self.db.dialect() {
            Dialect::Postgres => postgres::execute(&self.url, sql).await,
            Dialect::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }
}

/// Connects as one replica would.
pub(crate) async fn connect(url: &str) -> Db {
    // Patient: a busy test machine is no reason to fail.
    let options = Options { max_connections: 8, acquire_timeout: Duration::from_secs(30), ..Options::default() };
    Db::connect(url, &options).await.unwrap()
}

/// What is deleted after the test.
enum Place {
    Sqlite(TempDir),
    Postgres(postgres::Database),
}

impl Place {
    async fn create(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Sqlite => Self::Sqlite(TempDir::new().unwrap()),
            Dialect::Postgres => Self::Postgres(postgres::Database::create().await),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(dir) => format!("sqlite://{}", dir.path().join("pds.sqlite").display()),
            Self::Postgres(database) => database.url(),
        }
    }

    async fn remove(self) {
        match self {
            Self::Sqlite(dir) => dir.close().unwrap(),
            Self::Postgres(database) => database.drop().await,
        }
    }
}

/// Runs a test on a fresh, migrated database and deletes it also when the test fails.
pub(crate) async fn run<F: Future<Output = ()> + Send + 'static>(
    dialect: Dialect,
    test: impl FnOnce(Store) -> F + Send,
) {
    run_empty(dialect, async |url| {
        let db = connect(&url).await;
        pds_store::migrate(&db).await.unwrap();
        tokio::spawn(test(Store { db, url })).await
    })
    .await;
}

/// Runs a test on the URL of a database without a schema.
pub(crate) async fn run_empty(dialect: Dialect, test: impl AsyncFnOnce(String) -> Result<(), tokio::task::JoinError>) {
    let place = Place::create(dialect).await;
    let outcome = test(place.url()).await;
    place.remove().await;
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}

/// Declares that each of these functions is a test on both databases. One that is not listed is unused, and warned of.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::harness::run(pds_store::Dialect::Sqlite, super::$test).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::harness::run(pds_store::Dialect::Postgres, super::$test).await;
                }
            )+
        }
    };
}
pub(crate) use on_both;
