-- The import of another server's data directory: which one, and when it ended. Until it has ended nobody is served from this database.
create table adoption (
    id integer primary key check (id = 1),
    source text not null,
    started_at integer not null,
    finished_at integer
);
