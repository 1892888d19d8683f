-- Sessions that were logged out, by the ids of their refresh tokens, until the last access token that names one has expired. Access
-- tokens are not stored: this is what ends them, on every replica.
create table ended_session (
    jti text collate "C" primary key,
    until bigint not null
);
create index ended_session_until_idx on ended_session (until);
