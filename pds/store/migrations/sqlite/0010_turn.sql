-- When something was last done that only one replica is to do, and only so often.

create table turn (
    name text primary key,
    at integer not null
) strict, without rowid;
