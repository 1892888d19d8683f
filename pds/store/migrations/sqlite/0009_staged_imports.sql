-- A repository that is moving in: who imports it, and until when that holds unless it is prolonged (see the Postgres twin).
alter table repo add column import_token text;
alter table repo add column import_until integer;
create index repo_imported_idx on repo (import_until) where import_until is not null;

create trigger repo_is_imported before update of rev on repo
    when old.import_token is not null and new.import_token is not null
begin
    select raise(abort, 'the repository is being imported');
end;
