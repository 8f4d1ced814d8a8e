//! Against Debian's docker-registry, with and without TLS and passwords.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::common::real::{Pki, Registry, Serving, storage};
use crate::common::{TestClock, config, content, login, read_all, read_blob, target};
use nodeimage_registry::{Client, Config, CredentialFiles, Digest, ErrorKind, Proxies};

fn new(change: impl FnOnce(&mut Config)) -> Client {
    let mut config = config(&TestClock::new());
    config.timeouts.response = std::time::Duration::from_secs(20);
    config.timeouts.idle = std::time::Duration::from_secs(20);
    change(&mut config);
    Client::new(config).unwrap()
}

/// Tag → digest → manifest → blob.
fn pull(client: &Client, registry: &str, layer: &[u8], manifest: &str) {
    let target = target(registry, "1");
    let digest = client.resolve(&target).unwrap();
    assert_eq!(digest, Digest::of(manifest.as_bytes()));
    let got = client.manifest(&target, &digest).unwrap();
    assert_eq!(got.media_type, "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(got.bytes, manifest.as_bytes());
    assert_eq!(read_blob(client, registry, layer).unwrap(), layer);
}

#[test]
fn plain_on_loopback() {
    let layer = content(3_000_000);
    let (dir, digest, manifest) = storage(&layer);
    let registry = Registry::start(dir.path(), &Serving::default());
    let host = registry.host();
    let client = new(|_| {});
    pull(&client, &host, &layer, &manifest);
    pull(
        &client,
        &format!("localhost:{}", registry.port),
        &layer,
        &manifest,
    );

    let missing = client.resolve(&target(&host, "nope")).unwrap_err();
    assert!(
        matches!(missing.kind(), ErrorKind::NotFound(_)),
        "{missing}"
    );
    let text = missing.to_string();
    assert!(text.contains(&format!("{host}/team/app:nope")), "{text}");
    assert!(
        text.contains("MANIFEST_UNKNOWN") && text.contains("check repository and tag"),
        "{text}"
    );
    let other = nodeimage_registry::Target::new(&host, "no/such", "1").unwrap();
    let error = client.resolve(&other).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotFound(_)), "{error}");
    let error = client
        .manifest(&target(&host, "1"), &Digest::of(b"no"))
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotFound(_)), "{error}");
    let error = read_all(&client, &host, &Digest::of(b"no"), 2).unwrap_err();
    assert!(error.contains("BLOB_UNKNOWN"), "{error}");

    // A wrong length in the descriptor.
    let error = read_all(&client, &host, &Digest::of(&layer), 2_999_999).unwrap_err();
    assert!(
        error.contains("3000000") && error.contains("2999999"),
        "{error}"
    );
    let pinned = target(&host, &digest.to_string());
    assert_eq!(client.resolve(&pinned).unwrap(), digest);
}

#[test]
fn an_empty_blob() {
    let (dir, ..) = storage(b"");
    let registry = Registry::start(dir.path(), &Serving::default());
    assert_eq!(read_blob(&new(|_| {}), &registry.host(), b"").unwrap(), b"");
    let error = read_all(&new(|_| {}), &registry.host(), &Digest::of(b"x"), 0).unwrap_err();
    assert!(error.contains("BLOB_UNKNOWN"), "{error}");
}

#[test]
fn a_corrupted_blob_in_the_registry() {
    let layer = content(100_000);
    let (dir, ..) = storage(&layer);
    let digest = Digest::of(&layer).to_string();
    let hex = digest.trim_start_matches("sha256:");
    let file = dir.path().join(format!(
        "docker/registry/v2/blobs/sha256/{}/{hex}/data",
        &hex[..2]
    ));
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[50_000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let registry = Registry::start(dir.path(), &Serving::default());
    let client = new(|_| {});
    let mut reader = client
        .blob(&target(&registry.host(), "1"), &Digest::of(&layer), 100_000)
        .unwrap();
    let mut got = Vec::new();
    let error = reader.read_to_end(&mut got).unwrap_err();
    assert!(error.to_string().contains(&digest), "{error}");
    assert!(got.len() < layer.len(), "the last piece must not come out");
    assert!(
        reader.read(&mut [0; 10]).is_err(),
        "an error must not turn into an end"
    );
}

#[test]
fn tls_with_an_own_authority() {
    let pki = Pki::new(&["127.0.0.1", "localhost"]);
    let layer = content(200_000);
    let (dir, _, manifest) = storage(&layer);
    let tls = Some((&*pki.file("cert.pem"), &*pki.file("key.pem")));
    let registry = Registry::start(dir.path(), &Serving { tls, login: None });
    let client = new(|config| config.ca_files.push(pki.file("ca.pem")));
    pull(&client, &registry.host(), &layer, &manifest);

    let error = new(|_| {})
        .resolve(&target(&registry.host(), "1"))
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Tls(..)), "{error}");
    assert!(error.to_string().contains("CA files"), "{error}");
}

#[test]
fn tls_for_another_name_is_refused() {
    let pki = Pki::new(&["registry.example"]);
    let (dir, ..) = storage(b"x");
    let tls = Some((&*pki.file("cert.pem"), &*pki.file("key.pem")));
    let registry = Registry::start(dir.path(), &Serving { tls, login: None });
    let client = new(|config| config.ca_files.push(pki.file("ca.pem")));
    let error = client.resolve(&target(&registry.host(), "1")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Tls(..)), "{error}");
}

#[test]
fn passwords() {
    let layer = content(100_000);
    let (dir, _, manifest) = storage(&layer);
    let serving = Serving {
        tls: None,
        login: Some(("me", "hunter22")),
    };
    let registry = Registry::start(dir.path(), &serving);
    let host = registry.host();
    let client = new(|config| config.credentials.push(login(&host, "me", "hunter22")));
    pull(&client, &host, &layer, &manifest);

    let client = new(|config| config.credentials.push(login(&host, "me", "hunter23")));
    let error = client.resolve(&target(&host, "1")).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unauthorized(_)),
        "{error}"
    );
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("the provider block") && !text.contains("hunter2"),
        "{text}"
    );

    let none = new(|_| {}).resolve(&target(&host, "1")).unwrap_err();
    assert!(matches!(none.kind(), ErrorKind::Unauthorized(_)), "{none}");
    assert!(none.to_string().contains("docker login"), "{none}");
}

#[test]
fn passwords_over_tls_from_files_and_helpers() {
    let pki = Pki::new(&["127.0.0.1"]);
    let layer = content(100_000);
    let (dir, _, manifest) = storage(&layer);
    let tls = Some((&*pki.file("cert.pem"), &*pki.file("key.pem")));
    let serving = Serving {
        tls,
        login: Some(("me", "hunter22")),
    };
    let registry = Registry::start(dir.path(), &serving);
    let host = registry.host();
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    // me:hunter22
    let auths = format!(r#"{{"auths":{{"{host}/team":{{"auth":"bWU6aHVudGVyMjI="}}}}}}"#);
    std::fs::write(at("auth.json"), auths).unwrap();
    let helpers = format!(r#"{{"credHelpers":{{"{host}":"test"}}}}"#);
    std::fs::write(at("config.json"), helpers).unwrap();
    let script = format!(
        "#!/bin/sh\nread server\ntest \"$server\" = {host} && echo '{{\"Username\":\"me\",\"Secret\":\"hunter22\"}}'\n"
    );
    std::fs::write(at("docker-credential-test"), script).unwrap();
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(at("docker-credential-test"), executable).unwrap();

    for files in [
        CredentialFiles {
            podman: vec![at("none.json"), at("auth.json")],
            ..Default::default()
        },
        CredentialFiles {
            docker: Some(at("config.json")),
            helper_dirs: vec![at("")],
            ..Default::default()
        },
    ] {
        let client = new(|config| {
            config.ca_files.push(pki.file("ca.pem"));
            config.credential_files = files;
        });
        pull(&client, &host, &layer, &manifest);
    }
}

/// A proxy that knows one registry and asks for a password.
fn proxy(registry: u16, asked: Arc<Mutex<Vec<String>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let asked = Arc::clone(&asked);
            thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut head, mut line) = (String::new(), String::new());
                while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                    head.push_str(&line);
                    line.clear();
                }
                asked.lock().unwrap().push(head.clone());
                let mut stream = stream;
                // u:pw
                if !head
                    .to_lowercase()
                    .contains("proxy-authorization: basic dtpwdw==")
                {
                    let _ = stream.write_all(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
                    return;
                }
                let mut server = TcpStream::connect(("127.0.0.1", registry)).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                let (mut up, mut down) = (server.try_clone().unwrap(), stream.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut server, &mut down));
                let _ = std::io::copy(&mut reader, &mut up);
            });
        }
    });
    port
}

#[test]
fn through_a_proxy() {
    let pki = Pki::new(&["registry.example"]);
    let layer = content(100_000);
    let (dir, _, manifest) = storage(&layer);
    let tls = Some((&*pki.file("cert.pem"), &*pki.file("key.pem")));
    let registry = Registry::start(dir.path(), &Serving { tls, login: None });
    let asked = Arc::new(Mutex::new(Vec::new()));
    let port = proxy(registry.port, Arc::clone(&asked));
    let with = |user: &str, no_proxy: &str| {
        new(|config| {
            config.ca_files.push(pki.file("ca.pem"));
            config.proxies = Proxies {
                https: Some(format!("http://{user}@127.0.0.1:{port}").into()),
                no_proxy: no_proxy.into(),
            };
        })
    };
    pull(&with("u:pw", ""), "registry.example", &layer, &manifest);
    assert!(asked.lock().unwrap()[0].starts_with("CONNECT registry.example:443 "));

    let error = with("u:s3cret", "")
        .resolve(&target("registry.example", "1"))
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Connect(_)), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");

    // A registry elsewhere that knows no TLS is not spoken to.
    let plain = Registry::start(dir.path(), &Serving::default());
    let port = proxy(plain.port, Arc::default());
    let client = new(|config| {
        config.proxies.https = Some(format!("u:pw@127.0.0.1:{port}").into());
    });
    let error = client
        .resolve(&target("registry.example", "1"))
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Tls(..)), "{error}");
    assert!(error.to_string().contains("plain http"), "{error}");

    // Loopback goes straight, and so does what NO_PROXY names.
    let before = asked.lock().unwrap().len();
    let _ = with("u:pw", "")
        .resolve(&target(&registry.host(), "1"))
        .unwrap_err();
    let _ = with("u:pw", ".example")
        .resolve(&target("registry.example", "1"))
        .unwrap_err();
    assert_eq!(asked.lock().unwrap().len(), before);
}

#[test]
fn from_many_threads_and_from_inside_another_runtime() {
    let layer = content(1_000_000);
    let (dir, _, manifest) = storage(&layer);
    let registry = Registry::start(dir.path(), &Serving::default());
    let (host, client) = (registry.host(), new(|_| {}));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| pull(&client, &host, &layer, &manifest));
        }
    });
    let outer = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    outer.block_on(async {
        let (client, host, layer, manifest) = (
            client.clone(),
            host.clone(),
            layer.clone(),
            manifest.clone(),
        );
        // On a worker thread, which blocks it, and on a blocking thread.
        let task = tokio::spawn(async move {
            pull(&client, &host, &layer, &manifest);
            tokio::task::spawn_blocking(move || pull(&client, &host, &layer, &manifest))
                .await
                .unwrap();
        });
        task.await.unwrap();
        // The last client goes away on a thread that drives a runtime.
        drop(new(|_| {}));
    });
}
