use super::*;
use crate::testing::Signer;

fn read(text: &str) -> Result<PublicKey, KeyError> {
    PublicKey::from_pem("k.pub", text)
}

#[test]
fn every_kind_of_key_verifies_what_openssl_signs() {
    for (signer, kind) in Signer::all() {
        let key = read(&signer.public_pem()).unwrap();
        assert_eq!(key.kind(), kind);
        for signature in signer.signatures(b"message") {
            assert!(key.verifies(b"message", &signature), "{kind}");
            assert!(!key.verifies(b"messagf", &signature), "{kind}");
            let mut other = signature.clone();
            let last = other.len() - 1;
            other[last] ^= 1;
            assert!(!key.verifies(b"message", &other), "{kind}");
        }
        assert!(!key.verifies(b"message", b""), "{kind}");
        assert!(!key.verifies(b"message", &[0; 64]), "{kind}");
    }
}

#[test]
fn what_is_no_public_key_is_named() {
    let signer = Signer::p256();
    let public = signer.public_pem();
    assert_eq!(read(&signer.private_pem()), Err(KeyError::Private));
    assert_eq!(
        read(&format!("{}{public}", signer.private_pem())),
        Err(KeyError::Private)
    );
    assert_eq!(read(""), Err(KeyError::NoKey));
    assert_eq!(read(&format!("{public}{public}")), Err(KeyError::Several));
    assert_eq!(read(&public.replace("MF", "?F")), Err(KeyError::Damaged));
    assert_eq!(read("-----BEGIN PUBLIC KEY-----\n"), Err(KeyError::Damaged));
    let empty = "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n";
    assert_eq!(read(empty), Err(KeyError::Kind));
    assert_eq!(
        read("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        Err(KeyError::Certificate)
    );
    let text = format!("Our key:\r\n{}", public.replace('\n', "\r\n"));
    assert_eq!(read(&text).unwrap().kind(), "ECDSA P-256");
}

#[test]
fn short_rsa_keys_and_curves_of_others_are_refused() {
    let short = Signer::new("RSA", &["rsa_keygen_bits:1024"]);
    assert_eq!(read(&short.public_pem()), Err(KeyError::Short));
    let curve = Signer::new("EC", &["ec_paramgen_curve:secp256k1"]);
    assert_eq!(read(&curve.public_pem()), Err(KeyError::Kind));
    let x25519 = Signer::new("X25519", &[]);
    assert_eq!(read(&x25519.public_pem()), Err(KeyError::Kind));
}
