-- Codes that were mailed, as hashes: at most one for each account and purpose, good for one address until a time.
create table email_token (
    account_id bigint not null references account (id) on delete cascade,
    purpose text collate "C" not null,
    token_hash bytea not null constraint email_token_token_hash_key unique,
    email text collate "C" not null,
    expires_at bigint not null,
    primary key (account_id, purpose)
);
create index email_token_expires_idx on email_token (expires_at);

-- Mails that wait to be sent. Sealed by the server, because they may contain codes; deleted as soon as they are sent or useless.
create table mail (
    id bigint generated always as identity primary key,
    account_id bigint references account (id) on delete cascade,
    kind text collate "C" not null,
    sealed bytea not null,
    created_at bigint not null,
    -- The next attempt. A replica that sends a mail moves it, so that no other replica sends it at the same time.
    due bigint not null,
    attempts integer not null default 0,
    expires_at bigint not null
);
create index mail_due_idx on mail (due);
create index mail_account_idx on mail (account_id, kind);

-- Whether signing in with the password also needs a mailed code.
alter table account add column email_auth_factor boolean not null default false;

-- When the account was deleted; its data is kept until it is purged. To the previous release, a deleted account is taken down.
alter table account add column deleted_at bigint;
create index account_delete_after_idx on account (delete_after) where delete_after is not null;

-- What a deleted account had, to restore it.
create table deleted_account (
    account_id bigint primary key references account (id) on delete cascade,
    handle text collate "C" not null,
    email text collate "C",
    email_confirmed_at bigint,
    deactivated_at bigint,
    takedown_ref text,
    purge_at bigint not null
);
create index deleted_account_purge_idx on deleted_account (purge_at);

-- What is left of an account after its purge.
create table tombstone (
    did text collate "C" primary key,
    deleted_at bigint not null
);
