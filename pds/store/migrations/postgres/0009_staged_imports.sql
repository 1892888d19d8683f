-- A repository that is moving in: who imports it, and until when that holds unless it is prolonged. Meanwhile no commit is stored. The
-- import adds its records in many short transactions; their revision is above the head's, and what is above the head nobody reads. In the
-- end one transaction moves the head.
alter table repo add column import_token text;
alter table repo add column import_until bigint;
create index repo_imported_idx on repo (import_until) where import_until is not null;

-- The previous release knows nothing of that: its commits would show half an import.
create function refuse_commit() returns trigger language plpgsql as $$
begin
    raise exception 'the repository is being imported' using errcode = 'lock_not_available';
end $$;
create trigger repo_is_imported before update of rev on repo for each row
    when (old.import_token is not null and new.import_token is not null) execute function refuse_commit();
