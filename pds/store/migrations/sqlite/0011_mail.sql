-- Codes that were mailed, as hashes: at most one for each account and purpose, good for one address until a time.
create table email_token (
    account_id integer not null references account (id) on delete cascade,
    purpose text not null,
    token_hash blob not null unique,
    email text not null,
    expires_at integer not null,
    primary key (account_id, purpose)
);
create index email_token_expires_idx on email_token (expires_at);

-- Mails that wait to be sent. Sealed by the server, because they may contain codes; deleted as soon as they are sent or useless.
create table mail (
    id integer primary key autoincrement,
    account_id integer references account (id) on delete cascade,
    kind text not null,
    sealed blob not null,
    created_at integer not null,
    -- The next attempt. A replica that sends a mail moves it, so that no other replica sends it at the same time.
    due integer not null,
    attempts integer not null default 0,
    expires_at integer not null
);
create index mail_due_idx on mail (due);
create index mail_account_idx on mail (account_id, kind);

-- Whether signing in with the password also needs a mailed code.
alter table account add column email_auth_factor boolean not null default false;

-- When the account was deleted; its data is kept until it is purged. To the previous release, a deleted account is taken down.
alter table account add column deleted_at integer;
create index account_delete_after_idx on account (delete_after) where delete_after is not null;

-- What a deleted account had, to restore it.
create table deleted_account (
    account_id integer primary key references account (id) on delete cascade,
    handle text not null,
    email text,
    email_confirmed_at integer,
    deactivated_at integer,
    takedown_ref text,
    purge_at integer not null
);
create index deleted_account_purge_idx on deleted_account (purge_at);

-- What is left of an account after its purge.
create table tombstone (
    did text primary key,
    deleted_at integer not null
) without rowid;
