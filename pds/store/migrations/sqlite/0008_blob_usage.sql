-- Bytes of all blobs of an account that count towards its quota: those that are not taken down (see the Postgres twin).
create table blob_usage (
    account_id integer primary key references account (id) on delete cascade,
    bytes integer not null
);

create trigger blob_comes after insert on blob begin
    insert into blob_usage (account_id, bytes) select new.repo_id, 0
        where not exists (select 1 from blob_usage where account_id = new.repo_id);
    update blob_usage set bytes = bytes + case when new.state <> 2 then new.size else 0 end where account_id = new.repo_id;
end;

create trigger blob_changes after update of state, size on blob begin
    update blob_usage set bytes = bytes + case when new.state <> 2 then new.size else 0 end
        - case when old.state <> 2 then old.size else 0 end where account_id = new.repo_id;
end;

create trigger blob_goes after delete on blob begin
    update blob_usage set bytes = bytes - case when old.state <> 2 then old.size else 0 end where account_id = old.repo_id;
end;

insert into blob_usage (account_id, bytes) select repo_id, sum(size) from blob where state <> 2 group by repo_id;
