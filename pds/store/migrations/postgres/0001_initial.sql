-- Times are microseconds since 1970 UTC. CIDs are the 32 digest bytes where the codec is always dag-cbor, and the full
-- 36 bytes in blob columns. Text that is an identifier compares bytewise (COLLATE "C").

-- The oldest schema version a program must know to run on this database. A contracting migration raises it; an
-- expanding one leaves it alone, so that the previous release keeps running (and restarting) during an upgrade.
create table schema_compat (
    id smallint primary key check (id = 1),
    oldest_known bigint not null
);
insert into schema_compat (id, oldest_known) values (1, 1);

create table account (
    id bigint generated always as identity primary key,
    did text collate "C" not null constraint account_did_key unique,
    handle text collate "C" not null constraint account_handle_key unique,
    email text collate "C" constraint account_email_key unique,
    email_confirmed_at bigint,
    password_hash text,
    -- Sealed by the server; the store never sees the key itself.
    signing_key bytea not null,
    token_epoch integer not null default 0,
    created_at bigint not null,
    -- Null while the account is only reserved (its DID is not known to be published).
    activated_at bigint,
    deactivated_at bigint,
    delete_after bigint,
    takedown_ref text
);
create index account_reserved_idx on account (created_at) where activated_at is null;

-- Updated by every commit and by nothing else: no secondary index and room in the page keep the updates heap-only.
create table repo (
    account_id bigint primary key references account (id) on delete cascade,
    rev text collate "C" not null,
    commit_cid bytea not null,
    data_cid bytea not null,
    commit_bytes bytea not null,
    record_count bigint not null
) with (fillfactor = 40);

-- No foreign key: every writer holds the lock of the repo row, and a check per inserted row is the dearest part of it.
create table record (
    repo_id bigint not null,
    path text collate "C" not null,
    cid bytea not null,
    rev text collate "C" not null,
    -- Only for collections in which a second record about the same subject replaces the first.
    subject_hash bigint,
    body bytea not null,
    constraint record_pkey primary key (repo_id, path) include (cid)
);
create index record_subject_idx on record (repo_id, subject_hash) where subject_hash is not null;

create table blob (
    repo_id bigint not null references account (id) on delete cascade,
    cid bytea not null,
    mime text not null,
    size bigint not null,
    storage_key text not null,
    -- 0 temporary, 1 permanent, 2 taken down
    state smallint not null default 0 check (state in (0, 1, 2)),
    created_at bigint not null,
    -- When the blob last became temporary; the sweeper's clock.
    temporary_since bigint not null,
    primary key (repo_id, cid)
);
create index blob_temporary_idx on blob (temporary_since) where state = 0;

create table record_blob (
    repo_id bigint not null,
    blob_cid bytea not null,
    path text collate "C" not null,
    primary key (repo_id, blob_cid, path)
);
create index record_blob_path_idx on record_blob (repo_id, path);

-- One row per batch of frames, numbered first_seq .. first_seq + n - 1. The payload compresses itself.
create table event (
    first_seq bigint primary key,
    n integer not null,
    at bigint not null,
    payload bytea not null
);
alter table event alter column payload set storage external;
create index event_at_idx on event (at);

-- system_id and timeline name the cluster history in which next was last used (see src/dialect/postgres/lineage.rs).
create table seq_state (
    id smallint primary key check (id = 1),
    next bigint not null,
    system_id bigint,
    timeline integer
) with (fillfactor = 10);
insert into seq_state (id, next) values (1, 1);

create table refresh_token (
    jti text collate "C" primary key,
    account_id bigint not null references account (id) on delete cascade,
    created_at bigint not null,
    expires_at bigint not null,
    next_jti text collate "C"
);
create index refresh_token_account_idx on refresh_token (account_id, expires_at);

create table invite_code (
    code text collate "C" primary key,
    available integer not null check (available > 0),
    used integer not null default 0 check (used between 0 and available),
    disabled boolean not null default false,
    for_account text collate "C" not null,
    created_by text collate "C" not null,
    created_at bigint not null,
    expires_at bigint
);
create index invite_code_created_idx on invite_code (created_at, code);

create table invite_code_use (
    code text collate "C" not null references invite_code (code) on delete cascade,
    account_id bigint not null references account (id) on delete cascade,
    used_at bigint not null,
    primary key (code, account_id)
);
create index invite_code_use_account_idx on invite_code_use (account_id);
