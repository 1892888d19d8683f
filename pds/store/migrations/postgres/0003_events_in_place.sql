-- Payloads of up to 8 KB stay in the table. Longer ones still go to its TOAST table, as they are: they are compressed already.
alter table event set (toast_tuple_target = 8160);
