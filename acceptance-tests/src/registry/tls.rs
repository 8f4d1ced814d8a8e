//! A certificate authority of our own, made by openssl.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::tool;

/// A server's certificate and the authority behind it, as PEM files.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// The server's certificate, for 127.0.0.1.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes them in `dir`.
    ///
    /// # Errors
    /// When openssl is missing or fails.
    pub fn create(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        let openssl = |line: String| -> Result<()> {
            let words: Vec<_> = line.split_whitespace().collect();
            tool::run(dir, "openssl", &words).map(drop)
        };
        openssl(format!(
            "req -x509 {curve} -keyout ca.key -out ca.pem -days 2 -subj /CN=test-authority \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign"
        ))?;
        openssl(format!(
            "req -x509 {curve} -keyout server.key -out server.pem -days 2 -subj /CN=registry \
             -CA ca.pem -CAkey ca.key -addext subjectAltName=IP:127.0.0.1 \
             -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth"
        ))?;
        Ok(Self {
            ca: dir.join("ca.pem"),
            certificate: dir.join("server.pem"),
            key: dir.join("server.key"),
        })
    }
}
