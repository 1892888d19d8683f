//! `pds.env`: the settings of the reference, as the official installer writes them. Pure.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use pds_store::reference::Folder;

/// Where the official container has its data.
const USUAL_DATA: &str = "/pds";
/// The folder of blobs that the official installer chooses.
const USUAL_BLOBS: &str = "blocks";

/// The settings in the file. Some of them are secrets.
pub(super) struct EnvFile(BTreeMap<String, String>);

impl EnvFile {
    /// Reads `NAME=value` lines. Others are ignored, as a shell ignores comments.
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.strip_prefix("export ").unwrap_or(line).split_once('='));
        Self(pairs.map(|(name, value)| (name.trim().to_owned(), unquoted(value.trim()).to_owned())).collect())
    }

    /// The value of a setting that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Names of settings that are set and not empty.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str())
    }

    /// The places of the data in `directory`, which the reference may have had under another path. `blobs` is used instead of its own folder.
    pub(super) fn folder(&self, directory: &Path, blobs: Option<&Path>) -> Folder {
        let base = self.get("PDS_DATA_DIRECTORY").unwrap_or(USUAL_DATA);
        let place = |name: &str| {
            self.get(name).map(|place| match Path::new(place).strip_prefix(base) {
                Ok(inside) => directory.join(inside),
                Err(_) => PathBuf::from(place),
            })
        };
        let own = place("PDS_BLOBSTORE_DISK_LOCATION").unwrap_or_else(|| directory.join(USUAL_BLOBS));
        let usual = Folder::usual(directory, blobs.map_or(own, Path::to_owned));
        Folder {
            accounts: place("PDS_ACCOUNT_DB_LOCATION").unwrap_or(usual.accounts),
            sequence: place("PDS_SEQUENCER_DB_LOCATION").unwrap_or(usual.sequence),
            actors: place("PDS_ACTOR_STORE_DIRECTORY").unwrap_or(usual.actors),
            temporary_blobs: place("PDS_BLOBSTORE_DISK_TMP_LOCATION")
                .filter(|_| blobs.is_none())
                .unwrap_or(usual.temporary_blobs),
            blobs: usual.blobs,
        }
    }
}

fn unquoted(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installers_file_is_read() {
        let text = "PDS_HOSTNAME=pds.example.com\n# PDS_PORT=1\nexport PDS_PORT=\"3000\"\nPDS_EMPTY=\n\nnothing\nPDS_A='b=c'\n";
        let file = EnvFile::parse(text);
        assert_eq!(file.names().collect::<Vec<_>>(), ["PDS_A", "PDS_HOSTNAME", "PDS_PORT"]);
        assert_eq!([file.get("PDS_A"), file.get("PDS_PORT"), file.get("PDS_EMPTY")], [Some("b=c"), Some("3000"), None]);
    }

    #[test]
    fn places_move_with_the_directory() {
        let directory = Path::new("/mnt/old");
        let usual =
            EnvFile::parse("PDS_DATA_DIRECTORY=/pds\nPDS_BLOBSTORE_DISK_LOCATION=/pds/blocks").folder(directory, None);
        assert_eq!(usual, Folder::usual(directory, "/mnt/old/blocks".into()));
        assert_eq!(EnvFile::parse("").folder(directory, None), usual);

        let text = "PDS_DATA_DIRECTORY=/data\nPDS_BLOBSTORE_DISK_LOCATION=/big/blobs\nPDS_BLOBSTORE_DISK_TMP_LOCATION=/data/tmp\n\
                    PDS_ACTOR_STORE_DIRECTORY=/data/a";
        let moved = EnvFile::parse(text).folder(directory, None);
        assert_eq!((moved.blobs.to_str(), moved.actors.to_str()), (Some("/big/blobs"), Some("/mnt/old/a")));
        assert_eq!(moved.temporary_blobs, Path::new("/mnt/old/tmp"));
        let given = EnvFile::parse(text).folder(directory, Some(Path::new("/copied")));
        assert_eq!((given.blobs, given.temporary_blobs), ("/copied".into(), "/copied/tempt".into()));
    }
}
