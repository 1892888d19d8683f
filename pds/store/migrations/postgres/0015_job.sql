-- Background jobs that one replica runs for all: when each is due, who runs it, and what became of its last run.
create table job (
    name text collate "C" primary key,
    -- The number of the newest run; counts up, so that a replica that has lost a run cannot write about a later one.
    run bigint not null default 0,
    -- The replica that runs it or ran it last, and until when nobody else may. Without a time nobody runs it.
    holder text collate "C",
    lease_until bigint,
    due bigint not null,
    started_at bigint,
    ended_at bigint,
    succeeded_at bigint,
    -- How the last run ended, why it failed, and how many have failed in a row.
    outcome text collate "C",
    error text,
    failures integer not null default 0
);
