//! How much memory and how many connections this process may use: as set, else from the limits of its container.

use pds_config::{Limits, Settings};
use rustix::process::{Resource, getrlimit};

/// Where the kernel tells the memory limit of the container: cgroup 2, then cgroup 1.
const MEMORY_LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
/// Without a limit cgroup 1 reports a number near the largest one.
const NO_LIMIT: u64 = 1 << 50;

const MIB: u64 = 1 << 20;

/// What all clients together may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Open connections on the public port.
    pub connections: usize,
    /// Requests that are not answered. With HTTP/2 there may be more of them than connections, and each takes about 40 KB.
    pub requests: usize,
    /// Bytes of answers that wait for their readers.
    pub answer_bytes: usize,
    /// Bytes of inputs that are being received or worked on.
    pub input_bytes: usize,
    /// Blobs that are being sent to their readers.
    pub blob_readers: usize,
    /// Bytes of uploads that are being sent to S3.
    pub upload_bytes: usize,
    /// Bytes of repositories in memory.
    pub repo_bytes: u64,
    /// Bytes of trees and lists of blocks of imports.
    pub import_bytes: u64,
    /// Bytes on disk of exports to slow readers.
    pub spool_bytes: u64,
    /// Open subscriptions.
    pub subscribers: usize,
    /// Bytes of earlier events that are being sent to subscribers.
    pub subscriber_bytes: usize,
}

impl Sizes {
    /// The sizes for this process, from the settings, the container's memory limit and the limit of open files.
    pub fn new(settings: &Settings) -> Self {
        let files = getrlimit(Resource::Nofile).current;
        Self::within(&settings.limits, settings.blob.upload_memory, memory_limit(), files)
    }

    fn within(limits: &Limits, upload: Option<u64>, memory: Option<u64>, files: Option<u64>) -> Self {
        let part = |of_16: u64, most: u64| memory.map_or(most, |memory| (memory / 16 * of_16).min(most));
        let by_memory = memory.map_or(4096, |memory| memory / (256 << 10)).min(4096);
        let by_files = files.map_or(u64::MAX, |files| files / 2);
        let connections = limits.connections.map_or(by_memory.min(by_files).max(16), u64::from);
        let repo_bytes = memory.map_or(96 * MIB, |memory| memory / 16 * 2);
        Self {
            connections: whole(connections),
            requests: whole((connections / 2).max(128)),
            answer_bytes: whole(limits.answer_memory.unwrap_or(part(1, 64 * MIB))),
            input_bytes: whole(part(1, 64 * MIB)),
            blob_readers: whole(by_files / 4).clamp(16, 1024),
            upload_bytes: whole(upload.unwrap_or(part(2, 128 * MIB))),
            repo_bytes: limits.repo_memory.unwrap_or(repo_bytes),
            import_bytes: limits.import_memory.unwrap_or(part(5, 192 * MIB)),
            spool_bytes: limits.export_spool,
            // Subscriptions that nobody reads must leave connections for requests.
            subscribers: whole(u64::from(limits.subscribers).min(connections.div_ceil(2))),
            subscriber_bytes: whole(limits.subscriber_memory.unwrap_or(part(1, 64 * MIB))),
        }
    }
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The container's memory limit in bytes, if it has one.
fn memory_limit() -> Option<u64> {
    MEMORY_LIMITS.iter().find_map(|file| limit(&std::fs::read_to_string(file).ok()?))
}

fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < NO_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNSET: Limits = Limits {
        connections: None,
        answer_memory: None,
        repo_memory: None,
        import_memory: None,
        export_spool: 1 << 30,
        subscribers: 1000,
        subscriber_memory: None,
    };

    #[test]
    fn defaults_follow_the_container() {
        let none = Sizes::within(&UNSET, None, None, None);
        assert_eq!((none.connections, none.repo_bytes, none.answer_bytes), (4096, 96 << 20, 64 << 20));
        let small = Sizes::within(&UNSET, None, Some(256 << 20), Some(1024));
        assert_eq!((small.connections, small.repo_bytes), (512, 32 << 20));
        assert_eq!((none.requests, small.requests), (2048, 256));
        assert_eq!((none.subscribers, small.subscribers, small.blob_readers), (1000, 256, 128));
        assert_eq!((none.input_bytes, small.input_bytes), (64 << 20, 16 << 20));
        assert_eq!((small.answer_bytes, small.subscriber_bytes), (16 << 20, 16 << 20));
        let set = Limits { connections: Some(9), repo_memory: Some(5), ..UNSET };
        let set = Sizes::within(&set, Some(20 << 20), Some(256 << 20), Some(1024));
        assert_eq!((set.connections, set.repo_bytes, set.upload_bytes), (9, 5, 20 << 20));
        assert_eq!((none.upload_bytes, small.upload_bytes), (128 << 20, 32 << 20));
        assert_eq!((none.import_bytes, small.import_bytes), (192 << 20, 80 << 20));
    }

    /// MEMSUM: all of them at once, and what has no size of its own, fit into the container.
    #[test]
    fn defaults_leave_a_quarter_of_the_container_to_everything_else() {
        for memory in [64 << 20, 128 << 20, 160 << 20, 192 << 20, 256 << 20, 512 << 20, 1 << 30] {
            let sizes = Sizes::within(&UNSET, None, Some(memory), None);
            let parts = [sizes.answer_bytes, sizes.input_bytes, sizes.upload_bytes, sizes.subscriber_bytes];
            let sum = parts.iter().sum::<usize>() as u64 + sizes.repo_bytes + sizes.import_bytes;
            assert!(sum <= memory / 16 * 12, "{sum} of {memory}");
        }
    }

    #[test]
    fn a_limit_is_a_number_that_a_machine_can_have() {
        assert_eq!(limit("536870912\n"), Some(512 << 20));
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("9223372036854771712\n"), None);
    }
}
