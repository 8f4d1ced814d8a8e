//! Redirects and mirrors: content from other hosts, credentials not.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::server::{Server, blob, head, reply};
use crate::common::{TestClock, client, config, content, login, read_all, read_blob, target};
use nodeimage_registry::{Client, Digest, ErrorKind, Mirror, MirrorRule};

/// Basic `me:hunter22`, and everything redirected to `location`.
fn redirecting(location: String) -> Server {
    Server::start(move |request, stream| {
        if request.header("authorization") != Some("Basic bWU6aHVudGVyMjI=") {
            return reply(stream, 401, &["WWW-Authenticate: Basic realm=x"], b"");
        }
        reply(stream, 307, &[&format!("Location: {location}")], b"");
    })
}

fn with_login(host: &str) -> Client {
    let mut config = config(&TestClock::new());
    config.credentials.push(login(host, "me", "hunter22"));
    Client::new(config).unwrap()
}

#[test]
fn credentials_do_not_follow_redirects_to_other_hosts() {
    let bytes = content(500_000);
    let (served, count) = (bytes.clone(), AtomicUsize::new(0));
    let storage = Server::start(move |request, stream| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            head(stream, 200, &["Content-Length: 500000"]);
            let _ = stream.write_all(&served[..200_000]);
        } else {
            blob(request, stream, &served);
        }
    });
    let registry = redirecting(format!("http://{}/b?sig=s3cret", storage.other_name()));
    let client = with_login(&registry.host());
    assert_eq!(read_blob(&client, &registry.host(), &bytes).unwrap(), bytes);
    let stored = storage.requests();
    assert_eq!(stored.len(), 2);
    assert!(
        stored
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
    // The resumed download asked the registry again: signed URLs expire.
    assert_eq!(stored[1].range(), Some(200_000));
    let asked = registry.requests();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[2].range(), Some(200_000));
    assert!(asked[2].header("authorization").is_some());
}

#[test]
fn another_port_is_another_host() {
    let storage = Server::start(|request, stream| blob(request, stream, b"blob"));
    let registry = redirecting(format!("http://{}/b", storage.host()));
    let client = with_login(&registry.host());
    assert_eq!(
        read_blob(&client, &registry.host(), b"blob").unwrap(),
        b"blob"
    );
    assert!(storage.requests()[0].header("authorization").is_none());
}

#[test]
fn a_401_from_elsewhere_gets_nothing() {
    let storage = Server::start(|_, stream| {
        reply(
            stream,
            401,
            &["WWW-Authenticate: Basic realm=x"],
            b"give me your password",
        );
    });
    let registry = redirecting(format!("http://{}/b?sig=s3cret", storage.other_name()));
    let client = with_login(&registry.host());
    let error = read_blob(&client, &registry.host(), b"blob").unwrap_err();
    assert!(
        error.contains("not authorized") && !error.contains("s3cret"),
        "{error}"
    );
    assert_eq!(storage.requests().len(), 1);
    assert!(storage.requests()[0].header("authorization").is_none());
}

#[test]
fn unsafe_redirects_are_refused() {
    for location in [
        "http://storage.example/b?sig=s3cret",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "http://u:s3cret@127.0.0.1/",
        "",
    ] {
        let registry = redirecting(location.to_owned());
        let client = with_login(&registry.host());
        let error = client
            .manifest(&target(&registry.host(), "1"), &Digest::of(b""))
            .unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Redirect(_)),
            "{location}: {error}"
        );
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let error = {
        let server = Server::start(|request, stream| {
            let location = format!("Location: {}x", request.path);
            reply(
                stream,
                if request.is_probe() { 200 } else { 302 },
                &[&location],
                b"",
            );
        });
        client()
            .manifest(&target(&server.host(), "1"), &Digest::of(b""))
            .unwrap_err()
    };
    assert!(matches!(error.kind(), ErrorKind::Redirect(_)), "{error}");
}

fn mirrored(rule: MirrorRule) -> Client {
    let mut config = config(&TestClock::new());
    config.mirrors.push(rule);
    Client::new(config).unwrap()
}

fn rule(prefix: &str, mirrors: &[&Server]) -> MirrorRule {
    let location = |server: &&Server| Mirror::new(&format!("http://{}", server.host())).unwrap();
    MirrorRule::new(prefix, mirrors.iter().map(location).collect()).unwrap()
}

fn good() -> Server {
    Server::start(|request, stream| {
        if request.method == "HEAD" {
            let digest = format!("Docker-Content-Digest: {}", Digest::of(b"blob"));
            return head(stream, 200, &[&digest, "Content-Length: 4"]);
        }
        if request.is_probe() {
            reply(stream, 200, &[], b"")
        } else {
            blob(request, stream, b"blob")
        }
    })
}

#[test]
fn mirrors_are_tried_in_order_with_their_own_repository_and_ns() {
    let missing = Server::start(|_, stream| reply(stream, 404, &[], b""));
    let (broken, fine) = (
        Server::start(|_, stream| reply(stream, 500, &[], b"")),
        good(),
    );
    let client = mirrored(rule("registry.example", &[&missing, &broken, &fine]));
    assert_eq!(
        client.resolve(&target("registry.example", "1")).unwrap(),
        Digest::of(b"blob")
    );
    assert_eq!(
        read_blob(&client, "registry.example", b"blob").unwrap(),
        b"blob"
    );
    let paths: Vec<_> = fine
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths[0], "/v2/team/app/manifests/1?ns=registry.example");
    assert_eq!(broken.requests().len(), 4, "two attempts each");

    let prefixed = good();
    let mirror = Mirror::new(&format!("http://{}/cache/hub", prefixed.host())).unwrap();
    let client = mirrored(
        MirrorRule::new("registry.example/team", vec![mirror])
            .unwrap()
            .mirrors_only(),
    );
    client.resolve(&target("registry.example", "1")).unwrap();
    assert_eq!(prefixed.requests()[0].path, "/v2/cache/hub/app/manifests/1");
}

#[test]
fn the_registry_comes_last_unless_it_is_left_out() {
    let (missing, registry) = (
        Server::start(|_, stream| reply(stream, 404, &[], b"")),
        good(),
    );
    let host = registry.host();
    let client = mirrored(rule(&host, &[&missing]));
    assert_eq!(read_blob(&client, &host, b"blob").unwrap(), b"blob");
    assert_eq!(registry.requests().len(), 1);

    let client = mirrored(rule(&host, &[&missing]).mirrors_only());
    let error = client.resolve(&target(&host, "1")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotFound(_)), "{error}");
    assert_eq!(registry.requests().len(), 1);
}

#[test]
fn an_error_tells_of_the_mirrors_too() {
    let gone = Server::start(|_, stream| reply(stream, 403, &[], b"no mirror for you"));
    let registry = Server::start(|request, stream| {
        reply(stream, if request.is_probe() { 200 } else { 404 }, &[], b"");
    });
    let client = mirrored(rule(&registry.host(), &[&gone]));
    let error = client
        .resolve(&target(&registry.host(), "1"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("before that") && error.contains(&gone.host()),
        "{error}"
    );
}

#[test]
fn a_download_moves_on_in_the_middle() {
    let bytes = content(400_000);
    let (part, whole) = (bytes.clone(), bytes.clone());
    let dropping = Server::start(move |request, stream| match request.range() {
        None => {
            head(stream, 200, &["Content-Length: 400000"]);
            let _ = stream.write_all(&part[..150_000]);
        }
        Some(_) => reply(stream, 500, &[], b""),
    });
    let registry = Server::start(move |request, stream| match request.is_probe() {
        true => reply(stream, 200, &[], b""),
        false => blob(request, stream, &whole),
    });
    let client = mirrored(rule(&registry.host(), &[&dropping]));
    assert_eq!(read_blob(&client, &registry.host(), &bytes).unwrap(), bytes);
    assert_eq!(registry.requests()[0].range(), Some(150_000));
}

#[test]
fn a_lying_mirror_is_dropped() {
    let (liar, registry) = (
        Server::start(|request, stream| {
            if request.method == "HEAD" {
                reply(stream, 404, &[], b"")
            } else {
                blob(request, stream, b"lies")
            }
        }),
        good(),
    );
    let host = registry.host();
    // A manifest is whole before it is handed out, so the registry still helps.
    let client = mirrored(rule(&host, &[&liar]));
    assert_eq!(
        client
            .manifest(&target(&host, "1"), &Digest::of(b"blob"))
            .unwrap()
            .bytes,
        b"blob"
    );
    // A blob fails once; the next try does not ask the liar.
    let client = mirrored(rule(&host, &[&liar]));
    let error = read_all(&client, &host, &Digest::of(b"blob"), 4).unwrap_err();
    assert!(error.contains("a mirror sent it"), "{error}");
    assert_eq!(read_blob(&client, &host, b"blob").unwrap(), b"blob");
}

#[test]
fn mirrors_get_their_own_credentials_only() {
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let record = std::sync::Arc::clone(&seen);
    let mirror = Server::start(move |request, stream| {
        record
            .lock()
            .unwrap()
            .push(request.header("authorization").map(str::to_owned));
        reply(stream, 401, &["WWW-Authenticate: Basic realm=x"], b"");
    });
    let registry = good();
    let mut config = config(&TestClock::new());
    config.mirrors.push(rule(&registry.host(), &[&mirror]));
    config
        .credentials
        .push(login(&registry.host(), "me", "hunter22"));
    let client = Client::new(config).unwrap();
    client.resolve(&target(&registry.host(), "1")).unwrap();
    assert_eq!(*seen.lock().unwrap(), [None]);
}
