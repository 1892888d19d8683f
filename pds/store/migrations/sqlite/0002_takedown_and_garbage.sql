-- The moderation decision's reference; state 2 of a blob and a record that is hidden have one.
alter table blob add column takedown_ref text;
alter table record add column takedown_ref text;

-- Objects of the blob store that are to be deleted there when they are due: no row names them any more, or they are uploads on
-- their way, whose row takes this one's place.
create table blob_garbage (
    storage_key text primary key,
    due integer not null
) without rowid;

-- What an account's blobs have together, without looking at them.
create index blob_size_idx on blob (repo_id, size) where state <> 2;
