-- Sessions that were logged out, by the ids of their refresh tokens, until the last access token that names one has expired. Access
-- tokens are not stored: this is what ends them.
create table ended_session (
    jti text primary key,
    until integer not null
) without rowid;
create index ended_session_until_idx on ended_session (until);
