-- Bytes of all records of a repository, which count towards its account's quota, as of the revision `bytes_rev`. The count is good as long as that
-- is the head: a commit carries both on; an import, and a commit of the previous release, move the head alone. Whoever needs the count then makes
-- it anew, so that nothing is added up here.
alter table repo add column record_bytes integer;
alter table repo add column bytes_rev text;

-- What a limited app password may do, and its sessions (see the Postgres twin).
alter table app_password add column scopes text;
alter table refresh_token add column scopes text;

create trigger limited_session_is_rotated before update on refresh_token
    when old.scopes is not null and new.rotations < old.rotations + 2
begin
    select raise(abort, 'sessions of limited app passwords are refreshed by a newer release');
end;
