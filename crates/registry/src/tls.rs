//! Which certificate authorities are trusted: the system's and the configured.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, ErrorKind, Result};

/// A CA bundle with every public authority is about 200 KiB.
const FILE_LIMIT: u64 = 8 << 20;

/// Reads the configured files; they must exist and hold certificates.
pub(crate) fn read_authorities(files: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>> {
    let mut out = Vec::new();
    for file in files {
        let bad = |what: String| {
            let what = format!("the CA file {}: {what}", file.display());
            Error::new("", ErrorKind::BadConfig(what))
        };
        let pem = read_bounded(file).map_err(|error| bad(error.to_string()))?;
        let before = out.len();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| bad(format!("is not PEM: {error}")))?;
            RootCertStore::empty()
                .add(certificate.clone())
                .map_err(|error| bad(format!("holds an unusable certificate: {error}")))?;
            out.push(certificate);
        }
        if out.len() == before {
            return Err(bad("holds no PEM certificate".to_owned()));
        }
    }
    Ok(out)
}

fn read_bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(file)?
        .take(FILE_LIMIT + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(std::io::Error::other("is too long for a CA file"));
    }
    Ok(bytes)
}

/// TLS 1.2 and 1.3 by aws-lc-rs, named here because a process-wide default
/// could be another one.
pub(crate) fn client_config(
    authorities: &[CertificateDer<'static>],
) -> std::result::Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // A machine without them (a bare container) still has the configured ones.
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "cannot read a system certificate");
    }
    roots.add_parsable_certificates(system.certs);
    roots.add_parsable_certificates(authorities.iter().cloned());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_with_a_ca_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        let read = || {
            read_authorities(std::slice::from_ref(&file))
                .unwrap_err()
                .to_string()
        };
        assert!(read().contains("ca.pem"));
        std::fs::write(&file, "hello").unwrap();
        assert!(read().contains("no PEM certificate"), "{}", read());
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&file, junk).unwrap();
        assert!(read().contains("unusable"), "{}", read());
    }
}
