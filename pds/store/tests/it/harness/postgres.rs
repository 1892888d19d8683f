//! Databases on the throw-away Postgres server of `make test`.

use std::{
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

const VARIABLE: &str = "AURORA_TEST_POSTGRES_URL";

/// A database of one test.
pub(crate) struct Database {
    name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("store_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        admin(format!("create database {name} encoding 'UTF8' template template0")).await;
        Self { name }
    }

    pub(crate) fn url(&self) -> String {
        let server = PgConnectOptions::from_str(&server_url()).unwrap();
        server.database(&self.name).to_url_lossy().to_string()
    }

    pub(crate) async fn drop(self) {
        admin(format!("drop database {} with (force)", self.name)).await;
    }
}

/// The address of the server, for a superuser.
pub(crate) fn server_url() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!(
            "{VARIABLE} is not set: it is the URL of a throw-away Postgres server; `make test` starts one and sets it"
        )
    })
}

/// Runs statements over a connection of their own.
pub(crate) async fn execute(url: &str, sql: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn admin(sql: String) {
    let mut connection = PgConnection::connect(&server_url()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
