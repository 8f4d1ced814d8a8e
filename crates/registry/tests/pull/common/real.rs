//! Debian's docker-registry as a child process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nodeimage_registry::Digest;

const BINARY: &str = "/usr/bin/docker-registry";

/// How a registry is served.
#[derive(Default)]
pub(crate) struct Serving<'a> {
    /// Certificate and key in PEM.
    pub(crate) tls: Option<(&'a Path, &'a Path)>,
    /// User name and password.
    pub(crate) login: Option<(&'a str, &'a str)>,
}

pub(crate) struct Registry {
    child: Child,
    pub(crate) port: u16,
    _config: tempfile::TempDir,
}

impl Registry {
    /// Serves `storage`, which several may share.
    pub(crate) fn start(storage: &Path, serving: &Serving<'_>) -> Self {
        assert!(
            Path::new(BINARY).exists(),
            "{BINARY} is missing: install Debian's docker-registry to run this test"
        );
        // Another process may take the port in between; then start again.
        for _ in 0..5 {
            if let Some(registry) = Self::try_start(storage, serving) {
                return registry;
            }
        }
        panic!("{BINARY} does not start");
    }

    fn try_start(storage: &Path, serving: &Serving<'_>) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut yaml = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  \
             filesystem: {{rootdirectory: {}}}\n  maintenance: {{uploadpurging: {{enabled: false}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n  secret: test\n",
            storage.display()
        );
        if let Some((certificate, key)) = serving.tls {
            let (certificate, key) = (certificate.display(), key.display());
            yaml += &format!("  tls: {{certificate: {certificate}, key: {key}}}\n");
        }
        if let Some((username, password)) = serving.login {
            let hash = bcrypt::hash_with_result(password, 4).unwrap();
            let line = format!(
                "{username}:{}\n",
                hash.format_for_version(bcrypt::Version::TwoY)
            );
            let file = dir.path().join("htpasswd");
            std::fs::write(&file, line).unwrap();
            yaml += &format!(
                "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
                file.display()
            );
        }
        let config = dir.path().join("config.yml");
        std::fs::write(&config, yaml).unwrap();
        let child = Command::new(BINARY)
            .arg("serve")
            .arg(&config)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut registry = Self {
            child,
            port,
            _config: dir,
        };
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            if registry.child.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(registry);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Uploads a blob to `team/app` (plain http, no login).
    pub(crate) fn push_blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let (status, head) = self.send("POST", "/v2/team/app/blobs/uploads/", "", b"");
        assert_eq!(status, 202, "{head}");
        let location = head
            .lines()
            .find_map(|line| line.strip_prefix("Location: "))
            .expect("a location")
            .trim();
        let place = location
            .strip_prefix(&format!("http://{}", self.host()))
            .unwrap();
        let joint = if place.contains('?') { '&' } else { '?' };
        let path = format!("{place}{joint}digest={digest}");
        let (status, head) = self.send("PUT", &path, "application/octet-stream", bytes);
        assert_eq!(status, 201, "{head}");
        digest
    }

    /// Uploads an image of one layer under a tag; its manifest's digest.
    pub(crate) fn push_image(&self, tag: &str, layer: &[u8]) -> (Digest, String) {
        let config =
            br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
        let (config_digest, layer_digest) = (self.push_blob(config), self.push_blob(layer));
        let media = "application/vnd.oci.image.manifest.v1+json";
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{media}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config_digest}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer_digest}","size":{}}}]}}"#,
            config.len(),
            layer.len()
        );
        let path = format!("/v2/team/app/manifests/{tag}");
        let (status, head) = self.send("PUT", &path, media, manifest.as_bytes());
        assert_eq!(status, 201, "{head}");
        (Digest::of(manifest.as_bytes()), manifest)
    }

    fn send(&self, method: &str, path: &str, media: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: {media}\r\n\r\n",
            self.host(),
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).replace("\r\n", "\n");
        let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok());
        (status.expect("a status"), answer)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A storage with one image: tag `1` with `layer`.
pub(crate) fn storage(layer: &[u8]) -> (tempfile::TempDir, Digest, String) {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::start(dir.path(), &Serving::default());
    let (digest, manifest) = registry.push_image("1", layer);
    drop(registry);
    (dir, digest, manifest)
}

/// Files of an own authority and of a certificate for `names` signed by it.
pub(crate) struct Pki {
    pub(crate) dir: tempfile::TempDir,
}

impl Pki {
    pub(crate) fn new(names: &[&str]) -> Self {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
        let dir = tempfile::tempdir().unwrap();
        let mut authority = CertificateParams::new(vec![]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(rcgen::DnType::CommonName, "test authority");
        let authority_key = KeyPair::generate().unwrap();
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        std::fs::write(dir.path().join("ca.pem"), authority_pem).unwrap();
        std::fs::write(dir.path().join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(dir.path().join("key.pem"), key.serialize_pem()).unwrap();
        Self { dir }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}
