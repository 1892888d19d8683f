//! argon2id in PHC format, in memory that the caller has.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        Error,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};

/// Memory of one hash in KiB, passes, lanes. Source: OWASP password storage, argon2id.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// A new hash with a random salt.
pub(super) fn hash(password: &str, memory: &mut Vec<Block>) -> Result<String, Error> {
    let (kib, passes, lanes) = COST;
    let params = Params::new(kib, passes, lanes, Some(Params::DEFAULT_OUTPUT_LEN))?;
    let (algorithm, version, salt) = (Algorithm::Argon2id, Version::V0x13, Salt::generate());
    let output = compute(algorithm, version, &params, password, &salt, memory)?;
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params)?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(hash.to_string())
}

/// Whether `password` has the hash `stored`, whose own costs count. The comparison takes the same time for each.
///
/// # Errors
/// `stored` is not a hash of this kind.
pub(super) fn verify(stored: &str, password: &str, memory: &mut Vec<Block>) -> Result<bool, Error> {
    let stored = PasswordHash::new(stored)?;
    let algorithm = Algorithm::try_from(stored.algorithm.as_str())?;
    let version = stored.version.map_or(Ok(Version::default()), Version::try_from)?;
    let (params, salt) = (Params::try_from(&stored)?, stored.salt.ok_or(Error::SaltInvalid)?);
    let output = compute(algorithm, version, &params, password, &salt, memory)?;
    Ok(stored.hash == Some(output))
}

/// Whether a stored hash has the costs of a new one.
pub(super) fn is_current(stored: &str) -> bool {
    let (memory, passes, lanes) = COST;
    stored.starts_with(&format!("$argon2id$v=19$m={memory},t={passes},p={lanes}$"))
}

/// A hash of nothing in particular, which costs what a real one does. To compute one at the start would leave its memory behind.
pub(super) fn decoy() -> String {
    let (memory, passes, lanes) = COST;
    let (salt, hash) = ("A".repeat(22), "A".repeat(43));
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}")
}

fn compute(
    algorithm: Algorithm,
    version: Version,
    params: &Params,
    password: &str,
    salt: &Salt,
    memory: &mut Vec<Block>,
) -> Result<Output, Error> {
    // Blocks need not be zero: the first pass writes to each before it reads it.
    memory.resize(memory.len().max(params.block_count()), Block::default());
    let argon = Argon2::new(algorithm, version, params.clone());
    let len = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let mut buffer = [0; Output::MAX_LENGTH];
    let out = buffer.get_mut(..len).ok_or(Error::OutputSize)?;
    argon.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut memory[..params.block_count()])?;
    Ok(Output::new(out)?)
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    /// Against the library's own functions, which allocate their memory.
    #[test]
    fn hashes_are_those_of_the_library_whatever_is_in_the_memory() {
        let mut memory = Vec::new();
        for password in ["first", "second", "third"] {
            let ours = hash(password, &mut memory).unwrap();
            assert!(ours.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{ours}");
            assert!(Argon2::default().verify_password(password.as_bytes(), &PasswordHash::new(&ours).unwrap()).is_ok());
            // With other costs: those in the hash count.
            let params = Params::new(64, 3, 2, Some(24)).unwrap();
            let theirs = Argon2::new(Algorithm::Argon2i, Version::V0x10, params).hash_password(password.as_bytes());
            let theirs = theirs.unwrap().to_string();
            assert!(verify(&theirs, password, &mut memory).unwrap());
            assert!(!verify(&theirs, "wrong", &mut memory).unwrap());
            assert!(verify(&ours, password, &mut memory).unwrap());
            assert!(!verify(&ours, "wrong", &mut memory).unwrap());
        }
        assert_eq!(memory.len(), 19 * 1024);
        assert!(verify("no hash", "x", &mut memory).is_err());
    }

    #[test]
    fn the_decoy_costs_as_much_as_a_hash() {
        let mut memory = Vec::new();
        assert_eq!(verify(&decoy(), "decoy", &mut memory), Ok(false), "the work is done");
        assert_eq!(memory.len(), 19 * 1024);
    }
}
