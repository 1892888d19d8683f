-- Signing keys that are reserved: for an account that is to move here, or for an account of this host that changes its key. Sealed by the server.
create table reserved_key (
    -- As did:key.
    public_key text collate "C" primary key,
    -- The DID that it is reserved for.
    did text collate "C" constraint reserved_key_did_key unique,
    sealed bytea not null,
    expires_at bigint not null,
    -- The account that is changing to it, and since when. Such a key does not expire.
    account_id bigint constraint reserved_key_account_id_key unique references account (id) on delete cascade,
    changing_since bigint
);
create index reserved_key_expires_idx on reserved_key (expires_at);

-- Changes of handles that have begun: the directory may name another handle than the account has, until the change has ended.
create table handle_change (
    id bigint generated always as identity primary key,
    account_id bigint not null references account (id) on delete cascade,
    since bigint not null
);
create index handle_change_since_idx on handle_change (since);
create index handle_change_account_idx on handle_change (account_id);

-- A did:key of the owner that outranks the host's own.
alter table account add column recovery_key text collate "C";

-- Number of blobs of an account whose bytes are there, kept by the trigger that keeps their size.
alter table blob_usage add column blobs bigint not null default 0;

create or replace function count_blob() returns trigger language plpgsql as $$
declare
    before bigint := 0;
    after bigint := 0;
    more bigint := 0;
begin
    if tg_op <> 'INSERT' then
        if old.state <> 2 then before := old.size; end if;
        if old.lost_at is null then more := more - 1; end if;
    end if;
    if tg_op <> 'DELETE' then
        if new.state <> 2 then after := new.size; end if;
        if new.lost_at is null then more := more + 1; end if;
    end if;
    if tg_op = 'INSERT' then
        insert into blob_usage (account_id, bytes, blobs) values (new.repo_id, after, more) on conflict (account_id)
            do update set bytes = blob_usage.bytes + excluded.bytes, blobs = blob_usage.blobs + excluded.blobs;
    elsif before <> after or more <> 0 then
        update blob_usage set bytes = bytes + after - before, blobs = blobs + more where account_id = old.repo_id;
    end if;
    return null;
end $$;
drop trigger blob_is_counted on blob;
-- Takes the lock that keeps uploads out until the blobs that are there have been counted.
create trigger blob_is_counted after insert or update of state, size, lost_at or delete on blob
    for each row execute function count_blob();

insert into blob_usage (account_id, bytes, blobs)
    select repo_id, coalesce(sum(size) filter (where state <> 2), 0), count(*) filter (where lost_at is null) from blob group by repo_id
    on conflict (account_id) do update set blobs = excluded.blobs;
