-- Suspensions: an account that is closed by the host until a time, and why, for other administrators.
alter table account add column suspended_until bigint;
alter table account add column suspension_reason text;
create index account_suspended_idx on account (suspended_until) where suspended_until is not null;

-- `repo.closed` has one more value: 3, the account is suspended. A suspension counts until it is ended, by a change of its row, so that the event
-- that announces the end comes before the next commit. It is stronger than a deactivation: nothing is imported into the repository either.
create function account_closed(taken_down text, suspended_until bigint, deactivated_at bigint) returns smallint language sql immutable as
    'select case when taken_down is not null then 2 when suspended_until is not null then 3 when deactivated_at is not null then 1 else 0 end::smallint';

create or replace function close_repo() returns trigger language plpgsql as $$
begin
    update repo set closed = account_closed(new.takedown_ref, new.suspended_until, new.deactivated_at) where account_id = new.id;
    return null;
end $$;
drop trigger account_closes_repo on account;
create trigger account_closes_repo after update of takedown_ref, suspended_until, deactivated_at on account
    for each row execute function close_repo();

create or replace function close_new_repo() returns trigger language plpgsql as $$
begin
    new.closed := (select account_closed(a.takedown_ref, a.suspended_until, a.deactivated_at) from account a where a.id = new.account_id);
    return new;
end $$;
