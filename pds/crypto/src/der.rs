//! Public keys and signatures in DER, the form in which services that keep secret keys give them.

use k256::ecdsa::Signature;

use crate::{Error, PublicKey};

/// A SubjectPublicKeyInfo of secp256k1 up to its point, which is not compressed: algorithm id-ecPublicKey, curve secp256k1, a bit string of 65 bytes.
/// Source: RFC 5480, section 2.
const SPKI: [u8; 23] = [
    0x30, 0x56, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x0a, 0x03, 0x42, 0x00,
];

/// Reads a public key of secp256k1 from its SubjectPublicKeyInfo.
///
/// # Errors
/// If it is of another curve, or no point of this one.
pub fn public_key(spki: &[u8]) -> Result<PublicKey, Error> {
    let point = spki.strip_prefix(&SPKI).ok_or(Error::PublicKey("not the SubjectPublicKeyInfo of a secp256k1 key"))?;
    PublicKey::k256(point)
}

/// The form `r || s`, low-S, of a secp256k1 signature in DER. Services that sign may give either of the two values of s.
///
/// # Errors
/// If it is no signature in DER.
pub fn signature(der: &[u8]) -> Result<[u8; 64], Error> {
    let parsed = Signature::from_der(der).map_err(|_| Error::Signature)?;
    Ok(parsed.normalize_s().to_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    /// As [`SPKI`] and the point of a key.
    fn spki(key: &PublicKey) -> Vec<u8> {
        let PublicKey::K256(key) = key else { panic!("of the other curve") };
        [&SPKI[..], key.to_sec1_point(false).as_bytes()].concat()
    }

    #[test]
    fn a_public_key_is_read_and_one_of_another_curve_refused() {
        let key = SigningKey::generate().public();
        let der = spki(&key);
        assert_eq!(public_key(&der).unwrap(), key);
        let mut other = der.clone();
        other[19] = 0x22;
        for wrong in [&der[..der.len() - 1], &other[..], &[], &SPKI[..]] {
            assert!(matches!(public_key(wrong), Err(Error::PublicKey(_))));
        }
    }

    #[test]
    fn both_values_of_s_become_the_low_one() {
        let key = SigningKey::generate();
        let low = key.sign(b"message");
        let parsed = Signature::from_slice(&low).unwrap();
        let high = Signature::from_scalars(parsed.r().to_bytes(), (-*parsed.s()).to_bytes()).unwrap();
        assert_ne!(high, parsed);
        for der in [parsed.to_der(), high.to_der()] {
            assert_eq!(signature(der.as_bytes()).unwrap(), low);
        }
        key.public().verify(b"message", &signature(high.to_der().as_bytes()).unwrap()).unwrap();
        assert_eq!(signature(&low), Err(Error::Signature));
    }
}
