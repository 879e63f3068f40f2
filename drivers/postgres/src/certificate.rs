//! What channel binding needs of the server's certificate: its hash, as RFC 5929 has it for `tls-server-end-point`.

use sha2::{Digest, Sha256, Sha384, Sha512};

/// The hash of a certificate; `None` where its signature names no hash function, as that of Ed25519 does not.
pub(crate) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match signature_hash(certificate)? {
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The object identifiers of signature algorithms, in DER without tag and length. MD5 and SHA-1 count as SHA-256.
const ALGORITHMS: &[(&[u8], Hash)] = &[
    // 1.2.840.113549.1.1.{4,5,11,12,13}: RSA with MD5, SHA-1, SHA-256, SHA-384, SHA-512.
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12], Hash::Sha384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13], Hash::Sha512),
    // 1.2.840.10045.4.1 and 1.2.840.10045.4.3.{2,3,4}: ECDSA with SHA-1, SHA-256, SHA-384, SHA-512.
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3], Hash::Sha384),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4], Hash::Sha512),
];

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 6;

/// `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER, … }, … }`
fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    ALGORITHMS.iter().find(|(known, _)| *known == identifier).map(|(_, hash)| *hash)
}

/// Takes a DER element with this tag: its contents, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, short, rest @ ..] = bytes else { return None };
    let (len, rest) = match *short {
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let (len, rest) = rest.split_at_checked(usize::from(long & 0x7f)).filter(|(len, _)| len.len() <= 4)?;
            (len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
        }
    };
    (*found == tag).then(|| rest.split_at_checked(len)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_signature_says_which_hash() {
        let mut certificate = vec![0x30, 0x82, 0, 17, 0x30, 2, 5, 0, 0x30, 11, 6, 9];
        certificate.extend(ALGORITHMS[3].0);
        assert_eq!(signature_hash(&certificate), Some(Hash::Sha384));
        assert_eq!(end_point(&certificate).map(|hash| hash.len()), Some(48));
        for end in 0..certificate.len() {
            assert_eq!(signature_hash(&certificate[..end]), None, "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60), deep in any::<bool>()) {
            let mut bytes = bytes;
            if deep {
                for (place, byte) in bytes.iter_mut().zip([0x30, 0x80, 0x30, 2, 0, 0, 0x30, 0x81]) {
                    *place = byte;
                }
            }
            end_point(&bytes);
        }
    }
}
