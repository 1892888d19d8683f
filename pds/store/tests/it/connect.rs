//! Which databases are accepted.

use std::{sync::Arc, time::Duration};

use pds_store::{
    Db, Error, Options,
    commit::{RecordWrite, commit_batch},
    event,
    record::{self, Page},
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::harness::{Alice, Store, T0, frame, on_both, put, run};

on_both!(
    every_wait_for_a_connection_is_counted,
    snapshots_leave_connections_to_those_who_write,
    a_transaction_whose_caller_went_away_is_nobody_elses,
    a_database_answers,
    waiting_for_a_connection_ends_as_unavailable,
    a_closed_database_is_unavailable
);

async fn a_database_answers(store: Store) {
    store.db.ping().await.unwrap();
}

/// AL-STO-4
async fn waiting_for_a_connection_ends_as_unavailable(store: Store) {
    let options = Options { max_connections: 1, acquire_timeout: Duration::from_millis(500), ..Options::default() };
    let db = Db::connect(&store.url, &options).await.unwrap();
    let holder = db.begin().await.unwrap();

    let error = db.begin().await.err().unwrap();

    assert!(error.is_unavailable(), "{error:?}");
    holder.rollback().await.unwrap();
}

/// Metrics that leave the busiest paths out would say that nobody waits.
async fn every_wait_for_a_connection_is_counted(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let mut before = store.db.waits().1;
    let mut counts = |what: &str| {
        let now = store.db.waits().1;
        assert!(now > before, "{what}");
        before = now;
    };
    let prepared = alice.prepare(vec![RecordWrite::Create(put("a.b.post/1", "one"))]);
    commit_batch(&store.db, std::slice::from_ref(&prepared), T0).await.unwrap();
    counts("a batch of commits");
    store.db.begin().await.unwrap().rollback().await.unwrap();
    counts("a transaction");
    drop(store.db.snapshot().await.unwrap());
    counts("a snapshot");
    let page = Page { cursor: None, limit: 10, ascending: true };
    alice.list(&store.db, "a.b.post", page).await;
    counts("a list of records");
    event::after(&store.db, 0, usize::MAX).await.unwrap();
    counts("events");
    event::head(&store.db).await.unwrap();
    counts("a statement");
}

/// F2
async fn snapshots_leave_connections_to_those_who_write(store: Store) {
    let options = Options { max_connections: 2, acquire_timeout: Duration::from_millis(500), ..Options::default() };
    let db = Db::connect(&store.url, &options).await.unwrap();
    let (first, second) = (db.snapshot().await, db.snapshot().await);

    db.begin().await.unwrap().rollback().await.unwrap();

    assert!(first.is_ok());
    assert!(second.is_ok() || second.is_err_and(|error| error.is_unavailable()));
}

/// A client that closes its connection at the right moment must not leave a transaction behind, in which others then write in vain.
async fn a_transaction_whose_caller_went_away_is_nobody_elses(store: Store) {
    let options = Options { max_connections: 2, acquire_timeout: Duration::from_secs(30), ..Options::default() };
    let db = Db::connect(&store.url, &options).await.unwrap();
    for n in 0..200 {
        // At every moment from before the statement is sent until after it is answered.
        let patience = Duration::from_micros(n * 10);
        drop(tokio::time::timeout(patience, db.snapshot()).await);
        let mut tx = db.begin().await.unwrap();
        event::append(&mut tx, &[frame("written")], T0).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// The server must not go on with what nobody waits for: abandoned reads together would take all its cores.
#[tokio::test]
async fn a_statement_whose_caller_went_away_ends() {
    run(pds_store::Dialect::Postgres, |store| async move {
        let alice = Alice::create(&store.db, "alice").await;
        let prepared = alice.prepare(vec![RecordWrite::Create(put("a.b.post/1", "one"))]);
        commit_batch(&store.db, std::slice::from_ref(&prepared), T0).await.unwrap();
        store.sql("alter table record rename to fast_record").await;
        store.sql("create view record as select * from fast_record where pg_sleep(600) is not null").await;
        let mut watcher = PgConnection::connect(&store.url).await.unwrap();
        let mut reading = async || {
            const SQL: &str = "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' \
                               and query like '%from record %' and pid <> pg_backend_pid()";
            let (count,): (i64,) = sqlx::query_as(SQL).fetch_one(&mut watcher).await.unwrap();
            count
        };
        let (db, id) = (store.db.clone(), alice.id);
        let reader = tokio::spawn(async move { record::get(&db, id, &"a.b.post/1".parse().unwrap()).await });
        let settled = async {
            while reading().await == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            reader.abort();
            while reading().await > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), settled).await.expect("the statement ends");
    })
    .await;
}

#[tokio::test]
async fn as_many_connections_stay_open_as_are_wanted() {
    run(pds_store::Dialect::Postgres, |store| async move {
        let options = Options { min_connections: 3, ..Options::default() };
        let db = Db::connect(&store.url, &options).await.unwrap();
        let settled = async {
            while db.connections().0 < 3 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), settled).await.expect("three connections");
    })
    .await;
}

async fn a_closed_database_is_unavailable(store: Store) {
    store.db.close().await;

    assert!(store.db.ping().await.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn a_replica_that_falls_silent_in_a_transaction_holds_nobody_up() {
    async fn append(store: &Store) -> pds_store::Result<i64> {
        let mut tx = store.db.begin().await?;
        let first_seq = event::append(&mut tx, &[frame("heard")], T0).await?;
        tx.commit().await?;
        Ok(first_seq)
    }
    run(pds_store::Dialect::Postgres, |store| async move {
        let silent = store.another().await;
        let mut tx = silent.begin().await.unwrap();
        // From here on everybody who writes events waits for this transaction.
        event::append(&mut tx, &[frame("silent")], T0).await.unwrap();

        let first_seq = loop {
            match append(&store).await {
                Ok(first_seq) => break first_seq,
                Err(error) => assert!(error.is_unavailable(), "{error:?}"),
            }
        };

        assert_eq!(first_seq, 1);
        assert!(tx.commit().await.unwrap_err().is_unavailable());
        // The silent one has connections as before.
        assert_eq!(event::head(&silent).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn unknown_and_forgetful_addresses_are_refused() {
    for url in ["mysql://localhost/x", "sqlite::memory:", "pds.sqlite"] {
        let error = Db::connect(url, &Options::default()).await.unwrap_err();
        assert!(matches!(error, Error::Url { .. }), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let error = Db::connect("postgres://nobody@127.0.0.1:1/none", &Options::default()).await.unwrap_err();

    assert!(error.is_unavailable(), "{error:?}");
}

/// AL-STO-1
#[tokio::test]
async fn sqlite_keeps_what_it_acknowledged() {
    run(pds_store::Dialect::Sqlite, |store: Store| async move {
        let mut file = sqlx::SqliteConnection::connect(&store.url).await.unwrap();
        let (mode,): (String,) = sqlx::query_as("pragma journal_mode").fetch_one(&mut file).await.unwrap();
        assert_eq!(mode, "wal");
    })
    .await;
}

/// What was under way fails as unavailable, and the pool mends itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cut_all_connections_is_used_again() {
    run(pds_store::Dialect::Postgres, |store: Store| async move {
        let mut cut_off = store.begin().await;
        store
            .sql(
                "select pg_terminate_backend(pid) from pg_stat_activity \
                 where datname = current_database() and pid <> pg_backend_pid()",
            )
            .await;

        let error = pds_store::event::head(&mut cut_off).await.unwrap_err();
        assert!(error.is_unavailable(), "{error:?}");
        drop(cut_off);
        while let Err(error) = store.db.ping().await {
            assert!(error.is_unavailable(), "{error:?}");
        }
        Alice::create(&store.db, "alice").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_that_may_forget_is_refused() {
    run(pds_store::Dialect::Postgres, |store: Store| async move {
        store.sql("do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$").await;

        let error = Db::connect(&store.url, &Options::default()).await.unwrap_err();

        assert!(matches!(&error, Error::Unfit { reason } if reason.contains("synchronous_commit")), "{error:?}");
    })
    .await;
}

/// After a failover or a restore the numbers of lost events are not given out again.
#[tokio::test(flavor = "multi_thread")]
async fn the_sequence_jumps_when_the_server_has_another_history() {
    run(pds_store::Dialect::Postgres, |store: Store| async move {
        // The first connection after the migration notes the history.
        let before = store.another().await;
        Alice::create(&before, "alice").await;
        let head = pds_store::event::head(&before).await.unwrap();
        assert_eq!(head, 1);

        store.sql("update seq_state set timeline = timeline + 1").await;
        let after = store.another().await;

        assert_eq!(pds_store::event::head(&after).await.unwrap(), head + 1_000_000);
        let again = store.another().await;
        assert_eq!(pds_store::event::head(&again).await.unwrap(), head + 1_000_000);
    })
    .await;
}

/// The role that owns a database needs no other right.
#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_owner_of_the_database_suffices() {
    run(pds_store::Dialect::Postgres, |store: Store| async move {
        let server: PgConnectOptions = store.url.parse().unwrap();
        let name = server.get_database().unwrap().to_owned();
        let mut admin = PgConnection::connect(&store.url).await.unwrap();
        let setup = format!(
            "create role {name}_owner login password 'x'; alter database {name} owner to {name}_owner; \
             drop schema public cascade; create schema public authorization {name}_owner"
        );
        sqlx::raw_sql(AssertSqlSafe(setup)).execute(&mut admin).await.unwrap();
        let owner = server.username(&format!("{name}_owner")).password("x");
        let url = owner.to_url_lossy().to_string();

        let db = Db::connect(&url, &Options::default()).await.unwrap();
        pds_store::migrate(&db).await.unwrap();
        Alice::create(&db, "alice").await;

        db.close().await;
        store.db.close().await;
        let cleanup = format!(
            "drop owned by {name}_owner cascade; alter database {name} owner to current_user; drop role {name}_owner"
        );
        sqlx::raw_sql(AssertSqlSafe(cleanup)).execute(&mut admin).await.unwrap();
    })
    .await;
}

/// A server that answers the wish for TLS, and whose certificate signs itself. Whether the client took it is all that is asked.
#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_it_is_named() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder().with_no_client_auth();
    let tls = tls.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(tls)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("postgres://pds@localhost:{}/pds?sslmode=verify-full", listener.local_addr().unwrap().port());
    for (ca_bundle, trusted) in [(Some(own.cert.pem()), true), (None, false)] {
        let options = Options { ca_bundle, ..Options::default() };
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            // The wish has 8 bytes; `S` grants it.
            socket.read_exact(&mut [0; 8]).await.unwrap();
            socket.write_all(b"S").await.unwrap();
            match acceptor.accept(socket).await {
                // What comes through is the client's greeting.
                Ok(mut stream) => stream.read_u8().await.is_ok(),
                Err(_) => false,
            }
        };
        let (greeted, connected) = tokio::join!(server, Db::connect(&url, &options));
        assert_eq!(greeted, trusted, "{connected:?}");
        assert!(connected.is_err(), "this is no database");
    }
}
