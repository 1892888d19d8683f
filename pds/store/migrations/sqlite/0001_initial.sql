-- Times are microseconds since 1970 UTC. CIDs are the 32 digest bytes where the codec is always dag-cbor, and the full
-- 36 bytes in blob columns. Text that is an identifier compares bytewise (BINARY, the default).

-- The oldest schema version a program must know to run on this database. A contracting migration raises it; an
-- expanding one leaves it alone, so that the previous release keeps running (and restarting) during an upgrade.
create table schema_compat (
    id integer primary key check (id = 1),
    oldest_known integer not null
);
insert into schema_compat (id, oldest_known) values (1, 1);

create table account (
    id integer primary key autoincrement,
    did text not null unique,
    handle text not null unique,
    email text unique,
    email_confirmed_at integer,
    password_hash text,
    -- Sealed by the server; the store never sees the key itself.
    signing_key blob not null,
    token_epoch integer not null default 0,
    created_at integer not null,
    -- Null while the account is only reserved (its DID is not known to be published).
    activated_at integer,
    deactivated_at integer,
    delete_after integer,
    takedown_ref text
);
create index account_reserved_idx on account (created_at) where activated_at is null;

-- Updated by every commit and by nothing else.
create table repo (
    account_id integer primary key references account (id) on delete cascade,
    rev text not null,
    commit_cid blob not null,
    data_cid blob not null,
    commit_bytes blob not null,
    record_count integer not null
);

-- No foreign key, as on Postgres: every writer has just compared and swapped the repo row.
create table record (
    repo_id integer not null,
    path text not null,
    cid blob not null,
    rev text not null,
    -- Only for collections in which a second record about the same subject replaces the first.
    subject_hash integer,
    body blob not null,
    primary key (repo_id, path)
);
create index record_subject_idx on record (repo_id, subject_hash) where subject_hash is not null;

create table blob (
    repo_id integer not null references account (id) on delete cascade,
    cid blob not null,
    mime text not null,
    size integer not null,
    storage_key text not null,
    -- 0 temporary, 1 permanent, 2 taken down
    state integer not null default 0 check (state in (0, 1, 2)),
    created_at integer not null,
    -- When the blob last became temporary; the sweeper's clock.
    temporary_since integer not null,
    primary key (repo_id, cid)
);
create index blob_temporary_idx on blob (temporary_since) where state = 0;

create table record_blob (
    repo_id integer not null,
    blob_cid blob not null,
    path text not null,
    primary key (repo_id, blob_cid, path)
) without rowid;
create index record_blob_path_idx on record_blob (repo_id, path);

-- One row per batch of frames, numbered first_seq .. first_seq + n - 1. The payload compresses itself.
create table event (
    first_seq integer primary key,
    n integer not null,
    at integer not null,
    payload blob not null
);
create index event_at_idx on event (at);

create table seq_state (
    id integer primary key check (id = 1),
    next integer not null
);
insert into seq_state (id, next) values (1, 1);

create table refresh_token (
    jti text primary key,
    account_id integer not null references account (id) on delete cascade,
    created_at integer not null,
    expires_at integer not null,
    next_jti text
);
create index refresh_token_account_idx on refresh_token (account_id, expires_at);

create table invite_code (
    code text primary key,
    available integer not null check (available > 0),
    used integer not null default 0 check (used between 0 and available),
    disabled boolean not null default false,
    for_account text not null,
    created_by text not null,
    created_at integer not null,
    expires_at integer
);
create index invite_code_created_idx on invite_code (created_at, code);

create table invite_code_use (
    code text not null references invite_code (code) on delete cascade,
    account_id integer not null references account (id) on delete cascade,
    used_at integer not null,
    primary key (code, account_id)
);
create index invite_code_use_account_idx on invite_code_use (account_id);
