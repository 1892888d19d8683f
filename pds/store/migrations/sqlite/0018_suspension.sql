-- Suspensions, and one more value of `repo.closed`: 3, the account is suspended (see the Postgres twin).
alter table account add column suspended_until integer;
alter table account add column suspension_reason text;
create index account_suspended_idx on account (suspended_until) where suspended_until is not null;

drop trigger account_closes_repo;
create trigger account_closes_repo after update of takedown_ref, suspended_until, deactivated_at on account begin
    update repo set closed = case when new.takedown_ref is not null then 2 when new.suspended_until is not null then 3
            when new.deactivated_at is not null then 1 else 0 end
        where account_id = new.id;
end;

drop trigger repo_begins_closed;
create trigger repo_begins_closed after insert on repo begin
    update repo set closed = (select case when a.takedown_ref is not null then 2 when a.suspended_until is not null then 3
            when a.deactivated_at is not null then 1 else 0 end
        from account a where a.id = new.account_id) where account_id = new.account_id;
end;
