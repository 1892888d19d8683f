-- Whose data this is: the fingerprint of the keys that the data depends on. Recorded once, by the first program that comes with
-- keys; a program with other keys refuses to work with this database.
create table owner (
    id integer primary key check (id = 1),
    fingerprint text not null
);
