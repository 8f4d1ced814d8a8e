//! Signatures as cosign makes them with a key, by openssl.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// An ECDSA P-256 key, as `cosign generate-key-pair` makes it.
pub(crate) struct Signer {
    dir: tempfile::TempDir,
}

impl Signer {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let curve = "ec_paramgen_curve:P-256";
        openssl(
            dir.path(),
            &[
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                curve,
                "-out",
                "key",
            ],
        );
        openssl(
            dir.path(),
            &["pkey", "-in", "key", "-pubout", "-out", "pub"],
        );
        Self { dir }
    }

    /// The one whose key the policies name.
    pub(crate) fn first() -> &'static Self {
        static SIGNER: OnceLock<Signer> = OnceLock::new();
        SIGNER.get_or_init(Self::new)
    }

    /// Another one.
    pub(crate) fn second() -> &'static Self {
        static SIGNER: OnceLock<Signer> = OnceLock::new();
        SIGNER.get_or_init(Self::new)
    }

    /// Puts `NAME.pub` and `NAME.key` into a directory.
    pub(crate) fn save(&self, dir: &Path, name: &str) {
        for ending in ["pub", "key"] {
            let to = dir.join(format!("{name}.{ending}"));
            std::fs::copy(self.dir.path().join(ending), to).unwrap();
        }
    }

    /// A signature over sha256 of the message, in base64.
    pub(crate) fn sign(&self, message: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("message"), message).unwrap();
        let key = self.dir.path().join("key").display().to_string();
        let arguments = [
            "dgst",
            "-sha256",
            "-sign",
            &key,
            "-out",
            "signature",
            "message",
        ];
        openssl(dir.path(), &arguments);
        STANDARD.encode(std::fs::read(dir.path().join("signature")).unwrap())
    }
}

/// The simple signing payload.
pub(crate) fn payload(digest: &str) -> String {
    let identity = json!({"docker-reference": "registry.example/acme/node"});
    json!({
        "critical": {
            "identity": identity, "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string()
}

/// The in-toto statement of a bundle.
pub(crate) fn statement(digest: &str) -> String {
    let hex = digest.strip_prefix("sha256:").unwrap();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": hex}, "annotations": {}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    })
    .to_string()
}

/// The bundle around `shown`, signed over `signed`.
pub(crate) fn bundle(signer: &Signer, signed: &str, shown: &str) -> Value {
    let kind = "application/vnd.in-toto+json";
    let message = format!("DSSEv1 {} {kind} {} {signed}", kind.len(), signed.len());
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "aGludA=="}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": STANDARD.encode(shown), "payloadType": kind,
            "signatures": [{"sig": signer.sign(&message)}],
        },
    })
}

fn openssl(dir: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(dir)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {output:?}");
}
