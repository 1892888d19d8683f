//! Hot statements find their rows by index (AL-STO-5).

use pds_store::{Dialect, plan};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

use crate::harness::{Store, run};

/// Enough rows that a planner with a choice would not read them all.
const FILL: &str = "
    insert into account (did, handle, email, signing_key, created_at, activated_at)
        select 'did:plc:' || n, n || '.pds.test', n || '@example.com', '', n, case when n % 100 = 0 then null else n end from series;
    insert into repo (account_id, rev, commit_cid, data_cid, commit_bytes, record_count)
        select id, '3l', 'c', 'd', 'b', 0 from account where activated_at is not null;
    insert into record (repo_id, path, cid, rev, subject_hash, body)
        select n % 300 + 1, 'a.b.post/' || n, 'c', '3l' || n, case when n % 2 = 0 then n else null end, 'body' from series;
    insert into blob (repo_id, cid, mime, size, storage_key, state, created_at, temporary_since)
        select n % 300 + 1, 'cid' || n, 'image/png', 1, 'key', case when n % 50 = 0 then 0 else 1 end, n, n from series;
    insert into record_blob (repo_id, blob_cid, path) select n % 300 + 1, 'cid' || n, 'a.b.post/' || n from series;
    insert into event (first_seq, n, at, payload) select n, 1, n, 'payload' from series;
    insert into app_password (account_id, name, digest, created_at) select n % 300 + 1, 'app' || n, 'digest' || n, n from series;
    insert into refresh_token (jti, account_id, created_at, expires_at) select 't' || n, n % 300 + 1, n, n from series;
    insert into reserved_key (public_key, did, sealed, expires_at, account_id, changing_since)
        select 'k' || n, 'did:plc:' || n, '', n, case when n % 10 = 0 then n end, n from series;
    insert into preference (account_id, value) select id, '[]' from account;
    insert into reserved_label (label, created_at) select 'l' || n, n from series;
    insert into published_lexicon (nsid, uri, cid, document, checked_at) select 'n' || n, 'u', 'c', '{}', n from series;
    insert into blob_usage (account_id, bytes) select n, 0 from series where n > 300;
    insert into ended_session (jti, until) select 't' || n, n from series;
    insert into invite_code (code, available, for_account, created_by, created_at)
        select 'c' || n, 1, 'admin', 'admin', n from series;
    insert into invite_code_use (code, account_id, used_at) select 'c' || n, n % 300 + 1, n from series;
    insert into email_token (account_id, purpose, token_hash, email, expires_at)
        select n % 300 + 1, 'p' || n, HASH, 'a@example.com', n from series;
    insert into mail (account_id, kind, sealed, created_at, due, expires_at) select n % 300 + 1, 'k', 'x', n, n, n from series;
    update account set deleted_at = 1 where id > 10000;
    insert into deleted_account (account_id, handle, purge_at) select id, handle, id from account where deleted_at is not null;
    analyze;
";

#[tokio::test]
async fn no_hot_statement_scans_a_table_on_postgres() {
    run(Dialect::Postgres, |store: Store| async move {
        let mut connection = PgConnection::connect(&store.url).await.unwrap();
        let fill = FILL.replace("from series", "from generate_series(1, 20000) n");
        let fill = fill.replace("'cid' || n", "convert_to('cid' || n, 'UTF8')");
        let fill = fill.replace("'digest' || n", "convert_to('digest' || n, 'UTF8')");
        let fill = fill.replace("HASH", "convert_to('h' || n, 'UTF8')");
        sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut connection).await.unwrap();
        // The plan for any arguments, as a statement that runs for ever on one connection gets.
        sqlx::raw_sql("set plan_cache_mode = force_generic_plan").execute(&mut connection).await.unwrap();

        for (name, sql) in plan::hot(Dialect::Postgres) {
            let arguments = (1..).take_while(|n| sql.contains(&format!("${n}"))).count();
            let nulls = vec!["null"; arguments].join(", ");
            let explain = format!("prepare hot as {sql}; explain execute hot({nulls}); deallocate hot;");
            let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut connection).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            let plan = plan.join("\n");
            // The counter is a table of one row.
            let scans = plan.lines().filter(|line| line.contains("Seq Scan on") && !line.contains("seq_state"));
            assert_eq!(scans.count(), 0, "{name}\n{plan}");
        }
        connection.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn no_hot_statement_scans_a_table_on_sqlite() {
    run(Dialect::Sqlite, |store: Store| async move {
        let mut connection = SqliteConnection::connect(&store.url).await.unwrap();
        let series = "from (with recursive s(n) as (select 1 union all select n + 1 from s where n < 20000) select n from s) series";
        sqlx::raw_sql(AssertSqlSafe(FILL.replace("from series", series).replace("HASH", "'h' || n"))).execute(&mut connection).await.unwrap();

        for (name, sql) in plan::hot(Dialect::Sqlite) {
            let rows = sqlx::raw_sql(AssertSqlSafe(format!("explain query plan {sql}")));
            let rows = rows.fetch_all(&mut connection).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            let tables = ["account", "repo", "record", "blob", "record_blob", "event", "refresh_token", "ended_session", "app_password", "invite_code", "blob_usage", "reserved_key", "email_token", "mail", "deleted_account", "invite_code_use", "preference", "reserved_label"];
            let aliases = ["a", "r", "l", "e", "p", "d"];
            let scans = plan.iter().filter(|line| {
                let mut words = line.split(' ');
                words.next() == Some("SCAN")
                    && words.next().is_some_and(|name| tables.contains(&name) || aliases.contains(&name))
                    // In index order from one end and stopped by the limit, as `invite::list` is on its first page.
                    && !line.contains("USING")
            });
            assert_eq!(scans.count(), 0, "{name}\n{}", plan.join("\n"));
        }
        connection.close().await.unwrap();
    })
    .await;
}
