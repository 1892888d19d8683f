//! The parts of a tar file that are not contents. Pure.

use std::io;

use bytes::Bytes;
use tar::{EntryType, Header};

/// Bytes of a block: a header has one, and contents fill whole ones.
const BLOCK: usize = 512;
const ZEROES: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The header of a file with this name, of at most 100 bytes, and of `bytes`; made at `time_s`, in seconds.
///
/// # Errors
/// When the name cannot be one in an archive.
pub(super) fn header(name: &str, bytes: u64, time_s: i64) -> io::Result<Bytes> {
    let mut header = Header::new_gnu();
    header.set_path(name)?;
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(time_s.max(0).unsigned_abs());
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    Ok(Bytes::copy_from_slice(header.as_bytes()))
}

/// What follows contents of `bytes`, up to the next block.
pub(super) fn padding(bytes: u64) -> Bytes {
    let beyond = usize::try_from(bytes % BLOCK as u64).unwrap_or_default();
    Bytes::from_static(&ZEROES[..(BLOCK - beyond) % BLOCK])
}

/// The end of an archive.
pub(super) fn end() -> Bytes {
    Bytes::from_static(&ZEROES)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn another_reader_finds_what_was_written() {
        let files = [("a.json", 0), ("b", 1), ("c", 511), ("d", 512), ("blobs/e", 513)];
        let mut archive = Vec::new();
        for (name, bytes) in files {
            archive.extend(header(name, bytes, 1_700_000_000).unwrap());
            archive.extend(vec![7; usize::try_from(bytes).unwrap()]);
            archive.extend(padding(bytes));
        }
        archive.extend(end());
        let mut archive = tar::Archive::new(&*archive);
        let found = archive.entries().unwrap().map(|entry| {
            let (mut entry, mut content) = (entry.unwrap(), Vec::new());
            entry.read_to_end(&mut content).unwrap();
            assert!(content.iter().all(|byte| *byte == 7));
            (entry.path().unwrap().display().to_string(), content.len() as u64)
        });
        assert_eq!(found.collect::<Vec<_>>(), files.map(|(name, bytes)| (name.to_owned(), bytes)));
    }

    #[test]
    fn sizes_beyond_the_digits_of_the_field_and_long_names() {
        let bytes = header("repo.car", 20 << 30, 0).unwrap();
        assert_eq!(Header::from_byte_slice(&bytes).entry_size().unwrap(), 20 << 30);
        assert!(header(&"x".repeat(101), 1, 0).is_err());
        assert!(header("../x", 1, 0).is_err());
    }
}
