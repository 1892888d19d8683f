-- Passwords of single apps. They are random, so that a keyed digest is enough, by which they are found: kind 0. Kind 1 is the reference's
-- scrypt hash, with a salt that follows from the DID.
create table app_password (
    id bigint generated always as identity primary key,
    account_id bigint not null references account (id) on delete cascade,
    name text collate "C" not null,
    kind smallint not null default 0 check (kind in (0, 1)),
    digest bytea not null,
    privileged boolean not null default false,
    created_at bigint not null,
    constraint app_password_name_key unique (account_id, name)
);
create unique index app_password_digest_idx on app_password (account_id, digest);

-- The app password that a session was opened with. No foreign key: a refresh would lock the app password's row, and whoever revokes the
-- app password locks the two in the other order.
alter table refresh_token add column app_password_id bigint;
alter table refresh_token add column rotations integer not null default 0;
create index refresh_token_app_password_idx on refresh_token (app_password_id) where app_password_id is not null;

-- The previous release knows no app passwords: a session that it refreshes would get all rights of the account. It does not count.
create function refuse_old_rotation() returns trigger language plpgsql as $$
begin
    raise exception 'sessions of app passwords are refreshed by a newer release';
end $$;
create trigger app_session_is_rotated before update on refresh_token for each row
    when (old.app_password_id is not null and new.rotations = old.rotations) execute function refuse_old_rotation();

-- Whether an account may make invite codes, and why not.
alter table account add column invites_disabled boolean not null default false;
alter table account add column invite_note text;
create index invite_code_owner_idx on invite_code (for_account, created_at, code);
create index invite_code_used_idx on invite_code (used, code);

-- Labels below the host's domains that an administrator keeps from everybody.
create table reserved_label (
    label text collate "C" primary key,
    created_at bigint not null
);
