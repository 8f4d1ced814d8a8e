use proptest::prelude::*;

use super::*;
use crate::testing::{Signer, payload, statement};

const IN_TOTO: &str = "application/vnd.in-toto+json";

fn image() -> Digest {
    Digest::of(b"the manifest of an image\n")
}

fn other() -> Digest {
    Digest::of(b"another")
}

/// Both forms, over the same image.
fn both(signer: &Signer, digest: &Digest) -> [Evidence; 2] {
    let statement = statement(digest, Evidence::SIGN_PREDICATE);
    [
        signer.simple(&payload(digest)),
        signer.bundle(IN_TOTO, &statement),
    ]
}

#[test]
fn a_signature_by_one_of_the_keys_holds() {
    let (signer, stranger) = (Signer::p256(), Signer::p256());
    let keys = [stranger.key(), signer.key()];
    for evidence in both(&signer, &image()) {
        assert_eq!(verify(&evidence, &image(), &keys), Ok(&keys[1]));
    }
}

#[test]
fn every_kind_of_key_signs_both_forms() {
    for (signer, _) in Signer::all() {
        let keys = [signer.key()];
        for evidence in both(&signer, &image()) {
            assert!(verify(&evidence, &image(), &keys).is_ok(), "{keys:?}");
        }
    }
}

#[test]
fn a_bundle_of_sigstores_own_library_holds() {
    let pem = include_str!("../tests/fixtures/sigstore-js.pub");
    let bundle = include_bytes!("../tests/fixtures/sigstore-js.bundle.json");
    let keys = [PublicKey::from_pem("sigstore-js.pub", pem).unwrap()];
    let evidence = Evidence::Bundle(bundle.to_vec());
    assert!(verify(&evidence, &image(), &keys).is_ok());
    assert!(matches!(
        verify(&evidence, &other(), &keys),
        Err(Doubt::OtherImage(_))
    ));
}

#[test]
fn another_key_proves_nothing() {
    let (signer, stranger) = (Signer::p256(), Signer::p256());
    for evidence in both(&signer, &image()) {
        assert_eq!(
            verify(&evidence, &image(), &[stranger.key()]),
            Err(Doubt::Key)
        );
        assert_eq!(verify(&evidence, &image(), &[]), Err(Doubt::Key));
    }
}

#[test]
fn a_signature_of_another_image_proves_nothing() {
    let signer = Signer::p256();
    for evidence in both(&signer, &other()) {
        let doubt = verify(&evidence, &image(), &[signer.key()]).unwrap_err();
        assert_eq!(doubt, Doubt::OtherImage(other().to_string()));
    }
}

#[test]
fn an_altered_payload_proves_nothing() {
    let signer = Signer::p256();
    let keys = [signer.key()];
    let Evidence::Simple { signature, .. } = signer.simple(&payload(&other())) else {
        unreachable!()
    };
    let altered = Evidence::Simple {
        payload: payload(&image()).into_bytes(),
        signature,
    };
    assert_eq!(verify(&altered, &image(), &keys), Err(Doubt::Key));
    let Evidence::Bundle(bundle) =
        signer.bundle(IN_TOTO, &statement(&other(), Evidence::SIGN_PREDICATE))
    else {
        unreachable!()
    };
    let mut bundle: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
    bundle["dsseEnvelope"]["payload"] = STANDARD
        .encode(statement(&image(), Evidence::SIGN_PREDICATE))
        .into();
    let altered = Evidence::Bundle(bundle.to_string().into_bytes());
    assert_eq!(verify(&altered, &image(), &keys), Err(Doubt::Key));
}

#[test]
fn a_signature_over_something_else_is_none_of_an_image() {
    let signer = Signer::p256();
    let keys = [signer.key()];
    let kind = payload(&image()).replace("cosign container image signature", "a cake");
    assert_eq!(
        verify(&signer.simple(&kind), &image(), &keys),
        Err(Doubt::Purpose("a cake".into()))
    );
    // An attestation names the image too, and is signed with the same key.
    let sbom = statement(&image(), "https://spdx.dev/Document");
    assert_eq!(
        verify(&signer.bundle(IN_TOTO, &sbom), &image(), &keys),
        Err(Doubt::Purpose("https://spdx.dev/Document".into()))
    );
    let statement = statement(&image(), Evidence::SIGN_PREDICATE);
    assert_eq!(
        verify(&signer.bundle("text/plain", &statement), &image(), &keys),
        Err(Doubt::Purpose("text/plain".into()))
    );
}

#[test]
fn bundles_in_other_forms_prove_nothing() {
    let signer = Signer::p256();
    let keys = [signer.key()];
    let Evidence::Bundle(bundle) =
        signer.bundle(IN_TOTO, &statement(&image(), Evidence::SIGN_PREDICATE))
    else {
        unreachable!()
    };
    let edited = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut bundle: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
        edit(&mut bundle);
        let evidence = Evidence::Bundle(bundle.to_string().into_bytes());
        verify(&evidence, &image(), &keys).map(drop)
    };
    assert_eq!(edited(&|_| {}), Ok(()));
    let keyless = edited(&|bundle| {
        bundle["verificationMaterial"] = serde_json::json!({"certificate": {"rawBytes": ""}});
    });
    assert_eq!(keyless, Err(Doubt::Keyless));
    let edits: [&dyn Fn(&mut serde_json::Value); 6] = [
        &|bundle| bundle["mediaType"] = "application/json".into(),
        &|bundle| bundle["verificationMaterial"] = serde_json::json!({}),
        &|bundle| drop(bundle.as_object_mut().unwrap().remove("dsseEnvelope")),
        &|bundle| bundle["dsseEnvelope"]["signatures"] = serde_json::json!([]),
        &|bundle| {
            let one = bundle["dsseEnvelope"]["signatures"][0].clone();
            bundle["dsseEnvelope"]["signatures"] = serde_json::json!([one, one]);
        },
        &|bundle| bundle["dsseEnvelope"]["payload"] = "%".into(),
    ];
    for edit in edits {
        assert!(matches!(edited(edit), Err(Doubt::Malformed(_))));
    }
}

#[test]
fn kept_evidence_is_read_back_and_verified_anew() {
    let signer = Signer::p256();
    for evidence in both(&signer, &image()) {
        let kept = evidence.to_json();
        let read = Evidence::from_json(kept.as_bytes()).unwrap();
        assert_eq!(read, evidence);
    }
    assert!(Evidence::from_json(b"{}").is_err());
    assert!(Evidence::from_json(b"").is_err());
}

proptest! {
    #[test]
    fn noise_proves_nothing_and_does_no_harm(bytes: Vec<u8>, signature: String) {
        let pem = include_str!("../tests/fixtures/sigstore-js.pub");
        let keys = [PublicKey::from_pem("k", pem).unwrap()];
        let simple = Evidence::Simple { payload: bytes.clone(), signature };
        prop_assert!(verify(&simple, &image(), &keys).is_err());
        prop_assert!(verify(&Evidence::Bundle(bytes), &image(), &keys).is_err());
    }

    #[test]
    fn no_byte_of_a_bundle_may_change_what_is_signed(at in 0usize..2000, bit in 0u8..8) {
        let pem = include_str!("../tests/fixtures/sigstore-js.pub");
        let keys = [PublicKey::from_pem("k", pem).unwrap()];
        let mut bundle = include_bytes!("../tests/fixtures/sigstore-js.bundle.json").to_vec();
        let at = at % bundle.len();
        bundle[at] ^= 1 << bit;
        // It may still hold for the image that was signed, say with another hint; never for another.
        prop_assert!(verify(&Evidence::Bundle(bundle), &other(), &keys).is_err());
    }
}
