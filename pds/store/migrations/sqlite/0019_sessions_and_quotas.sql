-- Which session a refresh token belongs to, and the maximum size of an account's blobs (see the Postgres twin).
alter table refresh_token add column session_id text;
alter table refresh_token add column began_at integer;
alter table account add column quota_bytes integer check (quota_bytes >= 0);
