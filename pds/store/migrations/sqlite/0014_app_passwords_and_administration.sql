-- Passwords of single apps, and what an administrator decides about accounts (see the Postgres twin).
create table app_password (
    id integer primary key autoincrement,
    account_id integer not null references account (id) on delete cascade,
    name text not null,
    kind integer not null default 0 check (kind in (0, 1)),
    digest blob not null,
    privileged boolean not null default false,
    created_at integer not null,
    unique (account_id, name)
);
create unique index app_password_digest_idx on app_password (account_id, digest);

alter table refresh_token add column app_password_id integer;
alter table refresh_token add column rotations integer not null default 0;
create index refresh_token_app_password_idx on refresh_token (app_password_id) where app_password_id is not null;

create trigger app_session_is_rotated before update on refresh_token
    when old.app_password_id is not null and new.rotations = old.rotations
begin
    select raise(abort, 'sessions of app passwords are refreshed by a newer release');
end;

alter table account add column invites_disabled boolean not null default false;
alter table account add column invite_note text;
create index invite_code_owner_idx on invite_code (for_account, created_at, code);
create index invite_code_used_idx on invite_code (used, code);

create table reserved_label (
    label text primary key,
    created_at integer not null
) without rowid;
