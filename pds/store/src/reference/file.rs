//! One SQLite file of the directory, opened so that neither it nor its folder changes.
//!
//! A file that was closed cleanly is opened as immutable: SQLite then takes no lock and makes no file beside it. A file with a write-ahead log was
//! not; its last transactions are in the log, which SQLite can only read together with a shared-memory file that it would make. Such a file is
//! copied with its log to a temporary folder, and read there.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, Params, Row};
use rustix::fs::{FlockOperation, fcntl_lock, statvfs};
use tempfile::TempDir;

use super::{Error, Result};

/// Endings of the files beside a SQLite file that may contain its last transactions.
const LOGS: [&str; 2] = ["-wal", "-journal"];

/// An open file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    path: PathBuf,
    /// Deleted after the connection is closed: fields are dropped in order.
    _copy: Option<TempDir>,
}

/// Whether a program has a SQLite file open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Use {
    /// No program of this machine has.
    Free,
    /// A program holds a lock on it.
    Open,
    /// The file was not closed cleanly, and this program may not look for locks.
    Unknown,
}

impl Opened {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::Sqlite { path: path.to_owned(), source };
        if !path.is_file() {
            return Err(Error::Missing { path: path.to_owned() });
        }
        let (target, flags, copy) = match copy(path)? {
            None => (immutable(path), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI, None),
            Some((folder, copied)) => (copied, OpenFlags::SQLITE_OPEN_READ_WRITE, Some(folder)),
        };
        let connection =
            Connection::open_with_flags(target, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        Ok(Self { connection, path: path.to_owned(), _copy: copy })
    }

    /// All rows of a statement.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let query = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_map(values, read)?.collect()
        };
        query().map_err(self.failed())
    }

    /// For `map_err`: names the file.
    pub(super) fn failed(&self) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let path = self.path.clone();
        move |source| Error::Sqlite { path: path.clone(), source }
    }

    /// Refuses a file with tables that this release does not know. Migrations have ascending names of three digits.
    pub(super) fn check_version(&self, oldest: &str, newest: &str, known: &'static str) -> Result<()> {
        const SQL: &str = "select max(name) from kysely_migration";
        let found: Option<String> = self.connection.query_row(SQL, [], |row| row.get(0)).map_err(self.failed())?;
        let found = found.unwrap_or_else(|| "000".to_owned());
        if (oldest..=newest).contains(&found.as_str()) {
            return Ok(());
        }
        Err(Error::Version { path: self.path.clone(), found, known })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether a program has the SQLite file at `path` open: as long as one has, there is a shared-memory file beside it, and a lock.
pub(super) fn in_use(path: &Path) -> Result<Use> {
    let failed = |source: io::Error| Error::Io { path: path.to_owned(), source };
    if !beside(path, "-shm").try_exists().map_err(failed)? {
        return Ok(Use::Free);
    }
    // An exclusive lock takes a descriptor that may write. Nothing is written.
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            return Ok(Use::Unknown);
        }
        Err(error) => return Err(failed(error)),
    };
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Use::Free),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => Ok(Use::Open),
        Err(error) => Err(failed(error.into())),
    }
}

/// Size and time of the last change of a SQLite file and its log.
pub(super) fn stamp(path: &Path) -> Result<String> {
    let mut stamp = String::new();
    for file in [path.to_owned(), beside(path, LOGS[0])] {
        match fs::metadata(&file) {
            Ok(found) => stamp += &format!("{} {:?};", found.len(), found.modified().ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => stamp += ";",
            Err(source) => return Err(Error::Io { path: file, source }),
        }
    }
    Ok(stamp)
}

/// Copies a file that was not closed cleanly, with its logs.
fn copy(path: &Path) -> Result<Option<(TempDir, PathBuf)>> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let len = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
    let logs: Vec<_> = LOGS.iter().filter(|ending| len(&beside(path, ending)) > 0).collect();
    if logs.is_empty() {
        return Ok(None);
    }
    let temporary = std::env::temp_dir();
    let logged: u64 = logs.iter().map(|ending| len(&beside(path, ending))).sum();
    // SQLite moves the log into the file when it closes it.
    let needed = len(path) + 2 * logged;
    let room = statvfs(&temporary).map_err(|error| failed(error.into()))?;
    if room.f_bavail.saturating_mul(room.f_frsize) < needed {
        return Err(Error::Room { path: path.to_owned(), folder: temporary, needed });
    }
    let folder = tempfile::Builder::new().prefix("pds-import-").tempdir().map_err(failed)?;
    let copied = folder.path().join("copy.sqlite");
    fs::copy(path, &copied).map_err(failed)?;
    for ending in logs {
        fs::copy(beside(path, ending), beside(&copied, ending)).map_err(failed)?;
    }
    Ok(Some((folder, copied)))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The URI of a file that nobody changes.
fn immutable(path: &Path) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => uri.push(char::from(*byte)),
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    (uri + "?immutable=1").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, sizes and times of what is in a folder.
    fn look(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut all: Vec<_> = entries
            .map(|entry| {
                let found = entry.metadata().unwrap();
                format!("{:?} {} {:?}", entry.file_name(), found.len(), found.modified().unwrap())
            })
            .collect();
        all.sort();
        all
    }

    fn rows(path: &Path) -> i64 {
        let opened = Opened::open(path).unwrap();
        opened.connection.query_row("select count(*) from t", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn what_is_in_the_log_is_read_and_the_folder_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a file?#%.sqlite");
        let writer = Connection::open(&path).unwrap();
        writer.pragma_update(None, "journal_mode", "wal").unwrap();
        writer.execute_batch("create table t (a); insert into t values (1), (2)").unwrap();
        assert_eq!(in_use(&path).unwrap(), Use::Free, "locks of this process do not count");
        let before = look(folder.path());
        assert_eq!(before.len(), 3, "the file, its log and its shared memory");
        assert_eq!(rows(&path), 2);
        assert_eq!(look(folder.path()), before);

        drop(writer);
        let before = look(folder.path());
        assert_eq!(before.len(), 1);
        assert_eq!((rows(&path), in_use(&path).unwrap()), (2, Use::Free));
        assert_eq!(look(folder.path()), before);
        assert!(matches!(Opened::open(&folder.path().join("none")), Err(Error::Missing { .. })));
    }
}
