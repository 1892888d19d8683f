-- When the object of a blob was found to be gone; null while it is there. Its bytes are missing then, as if they had never been uploaded.
alter table blob add column lost_at integer;
create index blob_lost_idx on blob (repo_id, cid) where lost_at is not null;
