-- Operations that clients have submitted, while the directory of did:plc is asked to take them. A row ends with the event that announces the new
-- document; the job for interrupted changes announces the document of a row that a crash has left.
create table submitted_operation (
    id integer primary key autoincrement,
    account_id integer not null references account (id) on delete cascade,
    since integer not null
);
create index submitted_operation_since_idx on submitted_operation (since);
create index submitted_operation_account_idx on submitted_operation (account_id);
