-- Which session a refresh token belongs to, and when that began, so that a session keeps its name while its tokens are replaced. Tokens of the
-- previous release have neither: such a token begins a session of its own.
alter table refresh_token add column session_id text collate "C";
alter table refresh_token add column began_at bigint;

-- The maximum size of an account's blobs, if it differs from the host's.
alter table account add column quota_bytes bigint check (quota_bytes >= 0);
