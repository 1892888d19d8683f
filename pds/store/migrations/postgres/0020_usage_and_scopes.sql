-- Bytes of all records of a repository, which count towards its account's quota, as of the revision `bytes_rev`. The count is good as long as that
-- is the head: a commit carries both on; an import, and a commit of the previous release, move the head alone. Whoever needs the count then makes
-- it anew, so that nothing is added up here.
alter table repo add column record_bytes bigint;
alter table repo add column bytes_rev text collate "C";

-- What a limited app password may do, in the syntax of OAuth scopes, separated by spaces; and the same of its sessions.
alter table app_password add column scopes text;
alter table refresh_token add column scopes text;

-- The previous release knows no limits: a session that it refreshes would get all rights of an app password. It counts rotations by one.
create function refuse_unlimited_rotation() returns trigger language plpgsql as $$
begin
    raise exception 'sessions of limited app passwords are refreshed by a newer release';
end $$;
create trigger limited_session_is_rotated before update on refresh_token for each row
    when (old.scopes is not null and new.rotations < old.rotations + 2) execute function refuse_unlimited_rotation();
