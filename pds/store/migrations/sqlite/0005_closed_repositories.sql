-- Whether a repository takes commits: 0 yes, 1 no, its account is deactivated, 2 no, it was taken down (see the Postgres twin).
alter table repo add column closed integer not null default 0;

create trigger account_closes_repo after update of takedown_ref, deactivated_at on account begin
    update repo set closed = case when new.takedown_ref is not null then 2 when new.deactivated_at is not null then 1 else 0 end
        where account_id = new.id;
end;

create trigger repo_begins_closed after insert on repo begin
    update repo set closed = (select case when a.takedown_ref is not null then 2 when a.deactivated_at is not null then 1 else 0 end
        from account a where a.id = new.account_id) where account_id = new.account_id;
end;

update repo set closed = (select case when a.takedown_ref is not null then 2 when a.deactivated_at is not null then 1 else 0 end
    from account a where a.id = repo.account_id);
