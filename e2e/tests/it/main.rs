//! Tests on a real cluster, one file per subject. `make test` starts the cluster and runs them.

mod deletion;
mod drift;
mod firehose;
mod installation;
mod isolation;
mod mail;
mod one_manifest;
mod postgres_restarted;
mod refusals;
mod relay;
mod replica_killed;
mod rotation;
mod scheduling;
mod storage_away;
mod tenant;
