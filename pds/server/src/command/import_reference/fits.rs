//! Whether the settings of this server fit the data: the same host, and the keys that the data depends on. Pure; no secret is ever part of a message.

use pds_config::{Secrets, Settings, var};
use secrecy::ExposeSecret;

use super::env_file::EnvFile;

/// Settings of the reference that say where its data is, or that have no meaning for another program.
const NOT_TAKEN_OVER: [&str; 14] = [
    "PDS_DATA_DIRECTORY",
    "PDS_ACCOUNT_DB_LOCATION",
    "PDS_SEQUENCER_DB_LOCATION",
    "PDS_DID_CACHE_DB_LOCATION",
    "PDS_ACTOR_STORE_DIRECTORY",
    "PDS_BLOBSTORE_DISK_LOCATION",
    "PDS_BLOBSTORE_DISK_TMP_LOCATION",
    // Compared as public keys.
    var::PLC_ROTATION_KEY,
    var::PLC_ROTATION_KEY_KMS_KEY_ID,
    "PDS_DPOP_SECRET",
    "LOG_ENABLED",
    "LOG_DESTINATION",
    "LOG_SYSTEMS",
    "UV_USE_IO_URING",
];

/// What the comparison has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Reasons for which nothing can be imported.
    pub(super) problems: Vec<String>,
    /// What the operator should know.
    pub(super) notes: Vec<String>,
    /// Whether sessions go on.
    pub(super) with_sessions: bool,
}

/// The PLC rotation keys, as did:key.
pub(super) struct RotationKeys {
    /// Of this server.
    pub(super) ours: String,
    /// Of the reference, if it has one.
    pub(super) theirs: Option<String>,
}

/// Compares the settings of the reference with those of this server. `file` names the file of the former, `is_set` knows the environment.
pub(super) fn compare(
    theirs: &EnvFile,
    file: &str,
    settings: &Settings,
    secrets: &Secrets,
    rotation: &RotationKeys,
    is_set: impl Fn(&str) -> bool,
) -> Found {
    let mut found = Found::default();
    let their_did = theirs.get(var::SERVICE_DID);
    let (hostname, did) = (&settings.service.hostname, settings.service.did.as_str());
    if let Some(theirs) = theirs.get(var::HOSTNAME) {
        same(&mut found, file, var::HOSTNAME, theirs, hostname);
        // As the reference computes it.
        let usual = format!("did:web:{theirs}");
        same(&mut found, file, var::SERVICE_DID, their_did.unwrap_or(&usual), did);
    } else {
        found.notes.push(format!("{file} has no {}: nothing shows whether this is the same host", var::HOSTNAME));
    }
    let names = [var::PLC_ROTATION_KEY, var::PLC_ROTATION_KEY_KMS_KEY_ID];
    match (&rotation.theirs, names.iter().find(|name| theirs.get(name).is_some())) {
        (_, None) => found.notes.push(format!(
            "{file} has no {}: identities can only be changed here if this server has the key that they name",
            var::PLC_ROTATION_KEY
        )),
        (Some(key), Some(_)) if *key == rotation.ours => {}
        (_, Some(name)) => found.problems.push(format!(
            "the PLC rotation key of this server, {}, is another one than that in {file}, which the identities of the accounts name: set {name} to the value in {file}",
            rotation.ours
        )),
    }
    found.with_sessions = theirs.get(var::JWT_SECRET) == Some(secrets.jwt_secret.expose_secret());
    if !found.with_sessions {
        found.notes.push(format!(
            "{0} is not the one in {file}: sessions are not taken over, and everybody has to log in again; to keep them, set {0} to the value in {file}",
            var::JWT_SECRET
        ));
    }
    let missing: Vec<_> = theirs
        .names()
        .filter(|name| !NOT_TAKEN_OVER.contains(name) && !name.starts_with("PDS_BLOBSTORE_S3_") && !is_set(name))
        .collect();
    if !missing.is_empty() {
        found.notes.push(format!("{file} sets these, and this environment does not: {}", missing.join(", ")));
    }
    found
}

fn same(found: &mut Found, file: &str, name: &str, theirs: &str, ours: &str) {
    if !theirs.eq_ignore_ascii_case(ours) {
        found.problems.push(format!(
            "{name} is {ours:?}, and with the settings in {file} it is {theirs:?}: set {name} to {theirs:?}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";
    const SECRET: &str = "a-secret-of-thirty-two-characters";

    fn found(theirs: &str, their_key: &str) -> Found {
        let lookup = |name: &str| {
            let value = match name {
                "PDS_HOSTNAME" => "pds.example.com",
                "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX" => KEY,
                "PDS_JWT_SECRET" => SECRET,
                "PDS_ADMIN_PASSWORD" => "admin-password",
                "PDS_KEY_ENCRYPTION_KEY" => "2222222222222222222222222222222222222222222222222222222222222222",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let (settings, secrets) = Settings::from_env(lookup).unwrap();
        let rotation = RotationKeys { ours: "did:key:ours".to_owned(), theirs: Some(their_key.to_owned()) };
        compare(&EnvFile::parse(theirs), "pds.env", &settings, &secrets, &rotation, |name| lookup(name).is_some())
    }

    #[test]
    fn the_same_host_with_the_same_keys_fits() {
        let same = format!(
            "PDS_HOSTNAME=PDS.example.com\nPDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX={}\nPDS_JWT_SECRET={SECRET}\nPDS_DATA_DIRECTORY=/pds",
            KEY.to_uppercase()
        );
        assert_eq!(found(&same, "did:key:ours"), Found { with_sessions: true, ..Found::default() });
        let more = found(&(same + "\nPDS_CRAWLERS=https://bsky.network\nPDS_BLOBSTORE_S3_BUCKET=b"), "did:key:ours");
        assert_eq!(more.notes, ["pds.env sets these, and this environment does not: PDS_CRAWLERS"]);
        assert!(more.problems.is_empty());
        let in_kms =
            format!("PDS_HOSTNAME=pds.example.com\nPDS_JWT_SECRET={SECRET}\nPDS_PLC_ROTATION_KEY_KMS_KEY_ID=alias/old");
        assert_eq!(found(&in_kms, "did:key:ours").problems, Vec::<String>::new());
        let other = found(&in_kms, "did:key:other").problems;
        assert!(other.len() == 1 && other[0].contains("did:key:ours") && other[0].contains("_KMS_KEY_ID"), "{other:?}");
    }

    #[test]
    fn what_differs_is_named_without_secrets() {
        let other = "PDS_HOSTNAME=other.example.com\nPDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX=beef\nPDS_JWT_SECRET=hunter2\nPDS_BLOBSTORE_S3_BUCKET=b";
        let found = found(other, "did:key:other");
        for (name, problem) in
            ["PDS_HOSTNAME", "PDS_SERVICE_DID", "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX"].iter().zip(&found.problems)
        {
            assert!(problem.contains(name), "{problem}");
        }
        assert_eq!((found.problems.len(), found.with_sessions), (3, false));
        let all = [found.problems, found.notes].concat().join("\n");
        assert!(
            all.contains("PDS_JWT_SECRET") && !all.contains("hunter2") && !all.contains("beef") && !all.contains(KEY),
            "{all}"
        );
    }
}
