-- Whether a repository takes commits: 0 yes, 1 no, its account is deactivated, 2 no, it was taken down. It stands in the row that every
-- commit locks, compares and swaps, so that no commit can be stored after the account's state was changed, wherever the commit was built.
-- Triggers keep it, because the previous release changes accounts too.
alter table repo add column closed smallint not null default 0;

create function account_closed(taken_down text, deactivated_at bigint) returns smallint language sql immutable as
    'select case when taken_down is not null then 2 when deactivated_at is not null then 1 else 0 end::smallint';

create function close_repo() returns trigger language plpgsql as $$
begin
    update repo set closed = account_closed(new.takedown_ref, new.deactivated_at) where account_id = new.id;
    return null;
end $$;
create trigger account_closes_repo after update of takedown_ref, deactivated_at on account
    for each row execute function close_repo();

create function close_new_repo() returns trigger language plpgsql as $$
begin
    new.closed := (select account_closed(a.takedown_ref, a.deactivated_at) from account a where a.id = new.account_id);
    return new;
end $$;
create trigger repo_begins_closed before insert on repo for each row execute function close_new_repo();

update repo set closed = account_closed(a.takedown_ref, a.deactivated_at) from account a
    where a.id = repo.account_id and (a.takedown_ref is not null or a.deactivated_at is not null);
