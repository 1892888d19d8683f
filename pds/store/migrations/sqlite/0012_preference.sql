-- What clients store about their owner's wishes: a JSON array of objects with $type, in one row, since it is read and replaced as a whole.

create table preference (
    account_id integer primary key references account (id) on delete cascade,
    value text not null
) strict;
