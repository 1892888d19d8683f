-- Background jobs that one replica runs for all (see the Postgres twin).
create table job (
    name text primary key,
    run integer not null default 0,
    holder text,
    lease_until integer,
    due integer not null,
    started_at integer,
    ended_at integer,
    succeeded_at integer,
    outcome text,
    error text,
    failures integer not null default 0
) strict, without rowid;
