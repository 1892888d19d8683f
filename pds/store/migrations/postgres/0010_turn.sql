-- When something was last done that only one replica is to do, and only so often.

create table turn (
    name text collate "C" primary key,
    at bigint not null
);
