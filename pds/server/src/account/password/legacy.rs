//! Hashes that accounts bring from elsewhere: bcrypt, and scrypt as the reference implementation stores it. They are verified, never made.

use scrypt::Params;
use subtle::ConstantTimeEq;

use argon2::password_hash::Error;

/// Bytes of the reference's scrypt hashes.
pub(super) const SCRYPT_BYTES: usize = 64;
/// The reference's costs: N = 2^14, r, p. One hash takes 16 MiB for as long as it is computed.
const SCRYPT_COST: (u8, u32, u32) = (14, 8, 1);
/// The highest cost of bcrypt that is computed: each further one doubles the time, 14 takes about a second.
const MAX_BCRYPT_COST: u32 = 14;

/// Whether a stored hash is one of these.
pub(super) fn is_legacy(stored: &str) -> bool {
    is_bcrypt(stored) || parse(stored).is_some()
}

/// Whether `password` has the stored hash.
///
/// # Errors
/// `stored` is none of these hashes, or would cost too much.
pub(super) fn verify(stored: &str, password: &str) -> Result<bool, Error> {
    if let Some((salt, hash)) = parse(stored) {
        return Ok(scrypt(password, salt)?.ct_eq(&hash).into());
    }
    let parts: bcrypt::HashParts = stored.parse().map_err(|_| Error::EncodingInvalid)?;
    if parts.get_cost() > MAX_BCRYPT_COST {
        return Err(Error::ParamsInvalid);
    }
    // Those who made the hash ignored what is behind 72 bytes too.
    bcrypt::verify(password, stored).map_err(|_| Error::EncodingInvalid)
}

/// The reference's scrypt hash of a password. The salt is a text.
pub(super) fn scrypt(password: &str, salt: &str) -> Result<[u8; SCRYPT_BYTES], Error> {
    let (log_n, r, p) = SCRYPT_COST;
    let params = Params::new(log_n, r, p).map_err(|_| Error::ParamsInvalid)?;
    let mut hash = [0; SCRYPT_BYTES];
    scrypt::scrypt(password.as_bytes(), salt.as_bytes(), &params, &mut hash).map_err(|_| Error::OutputSize)?;
    Ok(hash)
}

fn is_bcrypt(stored: &str) -> bool {
    ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|prefix| stored.starts_with(prefix))
}

/// Salt and hash of `SALT:HASH`, the hash in hexadecimal.
fn parse(stored: &str) -> Option<(&str, [u8; SCRYPT_BYTES])> {
    let (salt, hash) = stored.split_once(':')?;
    let hash = data_encoding::HEXLOWER.decode(hash.as_bytes()).ok()?;
    Some((salt, hash.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `correct horse`, by Node's scrypt with its defaults.
    const SCRYPT: &str = "00112233445566778899aabbccddeeff:3e19ebeabf15ad17c24de695284e79441c0d80c6d98b95a3c052c58a0d57b09f83b0742a5805af28a0b5bbcf673af62819b91eb830a104fb0bb42def767f52aa";
    /// From the test vectors of crypt_blowfish.
    const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

    /// AL-ACC-2
    #[test]
    fn hashes_of_other_programs_verify() {
        for (stored, password) in [(SCRYPT, "correct horse"), (BCRYPT, "U*U")] {
            assert!(is_legacy(stored));
            assert_eq!(verify(stored, password), Ok(true), "{stored}");
            for wrong in ["", "correct", "U*U*", "u*u"] {
                assert_eq!(verify(stored, wrong), Ok(false), "{stored}: {wrong}");
            }
        }
    }

    #[test]
    fn what_is_no_hash_or_costs_too_much_is_refused() {
        for stored in
            ["", "x:y", "salt:00", "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "$2a$05$short"]
        {
            assert!(verify(stored, "U*U").is_err(), "{stored}");
        }
        assert!(!is_legacy("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"));
    }
}
