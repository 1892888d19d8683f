-- Bytes of all blobs of an account that count towards its quota: those that are not taken down. Kept by triggers, because the previous
-- release uploads and sweeps too; adding up the blobs of an account with many took longer with each.
create table blob_usage (
    account_id bigint primary key references account (id) on delete cascade,
    bytes bigint not null
) with (fillfactor = 50);

create function count_blob() returns trigger language plpgsql as $$
declare
    before bigint := 0;
    after bigint := 0;
begin
    if tg_op <> 'INSERT' and old.state <> 2 then
        before := old.size;
    end if;
    if tg_op <> 'DELETE' and new.state <> 2 then
        after := new.size;
    end if;
    if tg_op = 'INSERT' then
        insert into blob_usage (account_id, bytes) values (new.repo_id, after)
            on conflict (account_id) do update set bytes = blob_usage.bytes + excluded.bytes;
    elsif before <> after then
        update blob_usage set bytes = bytes + after - before where account_id = old.repo_id;
    end if;
    return null;
end $$;
-- Takes the lock that keeps uploads out until the blobs that are there have been counted.
create trigger blob_is_counted after insert or update of state, size or delete on blob
    for each row execute function count_blob();

insert into blob_usage (account_id, bytes) select repo_id, sum(size) from blob where state <> 2 group by repo_id
    on conflict (account_id) do update set bytes = excluded.bytes;
