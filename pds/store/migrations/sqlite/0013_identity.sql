-- Signing keys that are reserved: for an account that is to move here, or for an account of this host that changes its key. Sealed by the server.
create table reserved_key (
    -- As did:key.
    public_key text primary key,
    -- The DID that it is reserved for.
    did text unique,
    sealed blob not null,
    expires_at integer not null,
    -- The account that is changing to it, and since when. Such a key does not expire.
    account_id integer unique references account (id) on delete cascade,
    changing_since integer
);
create index reserved_key_expires_idx on reserved_key (expires_at);

-- Changes of handles that have begun: the directory may name another handle than the account has, until the change has ended.
create table handle_change (
    id integer primary key autoincrement,
    account_id integer not null references account (id) on delete cascade,
    since integer not null
);
create index handle_change_since_idx on handle_change (since);
create index handle_change_account_idx on handle_change (account_id);

-- A did:key of the owner that outranks the host's own.
alter table account add column recovery_key text;

-- Number of blobs of an account whose bytes are there, kept by the triggers that keep their size.
alter table blob_usage add column blobs integer not null default 0;

drop trigger blob_comes;
create trigger blob_comes after insert on blob begin
    insert into blob_usage (account_id, bytes) select new.repo_id, 0
        where not exists (select 1 from blob_usage where account_id = new.repo_id);
    update blob_usage set bytes = bytes + case when new.state <> 2 then new.size else 0 end, blobs = blobs + (new.lost_at is null)
        where account_id = new.repo_id;
end;

drop trigger blob_changes;
create trigger blob_changes after update of state, size, lost_at on blob begin
    update blob_usage set bytes = bytes + case when new.state <> 2 then new.size else 0 end
        - case when old.state <> 2 then old.size else 0 end, blobs = blobs + (new.lost_at is null) - (old.lost_at is null)
        where account_id = new.repo_id;
end;

drop trigger blob_goes;
create trigger blob_goes after delete on blob begin
    update blob_usage set bytes = bytes - case when old.state <> 2 then old.size else 0 end, blobs = blobs - (old.lost_at is null)
        where account_id = old.repo_id;
end;

insert into blob_usage (account_id, bytes) select distinct repo_id, 0 from blob
    where repo_id not in (select account_id from blob_usage);
update blob_usage set blobs = (select count(*) from blob where repo_id = account_id and lost_at is null);
