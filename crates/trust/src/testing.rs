//! Keys and signatures made by openssl.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodeimage_spec::Digest;

use crate::{Evidence, PublicKey};

pub(crate) struct Signer {
    dir: tempfile::TempDir,
    kind: &'static str,
}

impl Signer {
    pub(crate) fn new(kind: &'static str, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut arguments = vec!["genpkey", "-algorithm", kind, "-out", "key.pem"];
        for option in options {
            arguments.extend(["-pkeyopt", option]);
        }
        openssl(dir.path(), &arguments);
        openssl(
            dir.path(),
            &["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"],
        );
        Self { dir, kind }
    }

    pub(crate) fn p256() -> Self {
        Self::new("EC", &["ec_paramgen_curve:P-256"])
    }

    pub(crate) fn all() -> [(Self, &'static str); 5] {
        [
            (Self::p256(), "ECDSA P-256"),
            (Self::new("EC", &["ec_paramgen_curve:P-384"]), "ECDSA P-384"),
            (Self::new("EC", &["ec_paramgen_curve:P-521"]), "ECDSA P-521"),
            (Self::new("ED25519", &[]), "Ed25519"),
            (Self::new("RSA", &["rsa_keygen_bits:2048"]), "RSA"),
        ]
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join(name)).unwrap()
    }

    pub(crate) fn private_pem(&self) -> String {
        String::from_utf8(self.read("key.pem")).unwrap()
    }

    pub(crate) fn public_pem(&self) -> String {
        String::from_utf8(self.read("key.pub")).unwrap()
    }

    pub(crate) fn key(&self) -> PublicKey {
        PublicKey::from_pem("key.pub", &self.public_pem()).unwrap()
    }

    /// A signature in every way that cosign signs with such a key.
    pub(crate) fn signatures(&self, message: &[u8]) -> Vec<Vec<u8>> {
        if self.kind == "ED25519" {
            return vec![self.sign(message, &["-rawin"])];
        }
        let pss = ["-pkeyopt", "rsa_padding_mode:pss"];
        let mut ways = vec![vec!["-rawin", "-digest", "sha256"]];
        if self.kind == "RSA" {
            ways.push([&["-rawin", "-digest", "sha256"][..], &pss].concat());
            let digest = ["-pkeyopt", "rsa_pss_saltlen:digest"];
            ways.push([&["-rawin", "-digest", "sha512"][..], &pss, &digest].concat());
        }
        ways.iter().map(|way| self.sign(message, way)).collect()
    }

    pub(crate) fn signature(&self, message: &[u8]) -> Vec<u8> {
        self.signatures(message).swap_remove(0)
    }

    fn sign(&self, message: &[u8], way: &[&str]) -> Vec<u8> {
        std::fs::write(self.dir.path().join("message"), message).unwrap();
        let arguments = ["pkeyutl", "-sign", "-inkey", "key.pem", "-in", "message"];
        let out = ["-out", "signature"];
        openssl(self.dir.path(), &[&arguments[..], way, &out].concat());
        self.read("signature")
    }

    pub(crate) fn simple(&self, payload: &str) -> Evidence {
        Evidence::Simple {
            payload: payload.as_bytes().to_vec(),
            signature: STANDARD.encode(self.signature(payload.as_bytes())),
        }
    }

    pub(crate) fn bundle(&self, payload_type: &str, statement: &str) -> Evidence {
        let signed = format!(
            "DSSEv1 {} {payload_type} {} {statement}",
            payload_type.len(),
            statement.len()
        );
        let signature = STANDARD.encode(self.signature(signed.as_bytes()));
        let bundle = serde_json::json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": STANDARD.encode(statement), "payloadType": payload_type,
                "signatures": [{"sig": signature}],
            },
        });
        Evidence::Bundle(bundle.to_string().into_bytes())
    }
}

/// cosign's payload, byte for byte.
pub(crate) fn payload(digest: &Digest) -> String {
    format!(
        "{{\"critical\":{{\"identity\":{{\"docker-reference\":\"ghcr.io/acme/node\"}},\
         \"image\":{{\"docker-manifest-digest\":\"{digest}\"}},\
         \"type\":\"cosign container image signature\"}},\"optional\":null}}"
    )
}

/// The statement of cosign's bundles.
pub(crate) fn statement(digest: &Digest, predicate: &str) -> String {
    format!(
        "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{{\"digest\":\
         {{\"sha256\":\"{}\"}},\"annotations\":{{}}}}],\"predicateType\":\"{predicate}\",\
         \"predicate\":{{}}}}",
        digest.hex()
    )
}

fn openssl(dir: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(dir)
        .output()
        .expect("openssl must be installed");
    assert!(output.status.success(), "openssl {arguments:?}: {output:?}");
}
