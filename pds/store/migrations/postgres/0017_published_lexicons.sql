-- Lexicons that others publish, each in the last version that was found. All replicas use them, also while their publishers cannot be reached.
create table published_lexicon (
    nsid text collate "C" primary key,
    uri text collate "C" not null,
    cid bytea not null,
    -- JSON.
    document text not null,
    -- When the publisher last had it.
    checked_at bigint not null
);
create index published_lexicon_checked_idx on published_lexicon (checked_at);
