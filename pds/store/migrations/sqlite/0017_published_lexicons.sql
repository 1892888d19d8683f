-- Lexicons that others publish (see the Postgres twin).
create table published_lexicon (
    nsid text primary key,
    uri text not null,
    cid blob not null,
    document text not null,
    checked_at integer not null
) without rowid;
create index published_lexicon_checked_idx on published_lexicon (checked_at);
