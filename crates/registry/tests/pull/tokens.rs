//! Token authentication.

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::server::{Request, Server, reply};
use crate::common::{TestClock, config, login, read_blob, target};
use nodeimage_registry::{Client, Config, Credential, Digest, ErrorKind, Login};

/// A registry that wants the newest token of its service, which gives out
/// `token-1`, `token-2` … as `issue` says.
struct Service {
    registry: Server,
    tokens: Server,
    valid: Arc<Mutex<String>>,
}

fn service(
    life: &'static str,
    issue: impl Fn(&Request) -> Option<u16> + Send + Sync + 'static,
) -> Service {
    let valid = Arc::new(Mutex::new("none yet".to_owned()));
    let (newest, count) = (Arc::clone(&valid), AtomicUsize::new(0));
    let tokens = Server::start(move |request, stream| {
        if let Some(status) = issue(request) {
            let body = br#"{"details":"incorrect username or password"}"#;
            return reply(stream, status, &[], body);
        }
        let token = format!("token-{}", count.fetch_add(1, Ordering::SeqCst) + 1);
        *newest.lock().unwrap() = format!("Bearer {token}");
        let body = format!(r#"{{"access_token":"{token}"{life}}}"#);
        reply(stream, 200, &[], body.as_bytes());
    });
    let (realm, newest) = (
        format!("http://{}/token?a=b", tokens.other_name()),
        Arc::clone(&valid),
    );
    let registry = Server::start(move |request, stream| {
        if request.header("authorization") == Some(&**newest.lock().unwrap()) {
            return content(request, stream);
        }
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"{realm}\",service=\"the registry\",scope=\"repository:team/app:pull\""
        );
        reply(stream, 401, &[&challenge], b"");
    });
    Service {
        registry,
        tokens,
        valid,
    }
}

fn content(request: &Request, stream: &mut TcpStream) {
    let digest = format!("Docker-Content-Digest: {}", Digest::of(b"blob"));
    let body: &[u8] = if request.method == "HEAD" {
        b""
    } else {
        b"blob"
    };
    reply(stream, 200, &[&digest], body);
}

fn client(change: impl FnOnce(&mut Config)) -> (Client, Arc<TestClock>) {
    let clock = TestClock::new();
    let mut config = config(&clock);
    change(&mut config);
    (Client::new(config).unwrap(), clock)
}

#[test]
fn anonymous_tokens_are_kept_until_they_expire() {
    let service = service(",\"expires_in\":300", |_| None);
    let host = service.registry.host();
    let (client, clock) = client(|_| {});
    let digest = client.resolve(&target(&host, "1")).unwrap();
    assert_eq!(read_blob(&client, &host, b"blob").unwrap(), b"blob");
    assert_eq!(
        client.manifest(&target(&host, "1"), &digest).unwrap().bytes,
        b"blob"
    );
    assert_eq!(service.tokens.requests().len(), 1);
    let asked = &service.tokens.requests()[0];
    assert_eq!(asked.method, "GET");
    assert_eq!(
        asked.path,
        "/token?a=b&scope=repository%3Ateam%2Fapp%3Apull&client_id=nodeimage&service=the+registry"
    );
    assert_eq!(asked.header("authorization"), None);

    clock.pass(Duration::from_secs(295));
    let before = service.registry.requests().len();
    client.resolve(&target(&host, "1")).unwrap();
    assert_eq!(service.tokens.requests().len(), 2);
    // An expired token is not even tried.
    let new: Vec<_> = service.registry.requests()[before..].to_vec();
    assert_eq!(new[0].header("authorization"), None);
    assert_eq!(new[1].header("authorization"), Some("Bearer token-2"));
}

#[test]
fn a_token_refused_early_is_renewed_once() {
    let service = service("", |_| None);
    let host = service.registry.host();
    let (client, _) = client(|_| {});
    client.resolve(&target(&host, "1")).unwrap();
    *service.valid.lock().unwrap() = "revoked".to_owned();
    assert_eq!(read_blob(&client, &host, b"blob").unwrap(), b"blob");
    assert_eq!(service.tokens.requests().len(), 2);
}

#[test]
fn a_token_that_never_works_is_an_error() {
    let registry = Arc::new(Mutex::new(String::new()));
    let host = Arc::clone(&registry);
    let server = Server::start(move |request, stream| {
        if request.path.starts_with("/token") {
            return reply(stream, 200, &[], br#"{"token":"useless"}"#);
        }
        let realm = format!(
            "WWW-Authenticate: Bearer realm=\"http://{}/token\"",
            host.lock().unwrap()
        );
        reply(
            stream,
            401,
            &[&realm],
            br#"{"errors":[{"code":"UNAUTHORIZED","message":"got useless"}]}"#,
        );
    });
    *registry.lock().unwrap() = server.host();
    let (client, _) = client(|_| {});
    let error = client
        .manifest(&target(&server.host(), "1"), &Digest::of(b""))
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unauthorized(_)),
        "{error}"
    );
    assert!(error.to_string().contains("got ***"), "{error}");
    let paths: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
    assert!(
        paths[1].contains("scope=repository%3Ateam%2Fapp%3Apull"),
        "{paths:?}"
    );
}

#[test]
fn passwords_go_to_the_token_service_and_tokens_to_the_registry() {
    let service = service("", |request| {
        // me:hunter22
        (request.header("authorization") != Some("Basic bWU6aHVudGVyMjI=")).then_some(401)
    });
    let host = service.registry.host();
    let (good, _) = client(|config| config.credentials.push(login(&host, "me", "hunter22")));
    assert_eq!(read_blob(&good, &host, b"blob").unwrap(), b"blob");
    for request in service.registry.requests() {
        let sent = request.header("authorization").unwrap_or_default();
        assert!(!sent.starts_with("Basic"), "{sent}");
    }
    let (bad, _) = client(|config| config.credentials.push(login(&host, "me", "hunter23")));
    let error = bad.resolve(&target(&host, "1")).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unauthorized(_)),
        "{error}"
    );
    let text = error.to_string();
    for part in [
        "incorrect username or password",
        "the provider block",
        &service.tokens.other_name(),
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn services_without_get_are_asked_by_post() {
    let service = service("", |request| (request.method == "GET").then_some(405));
    let host = service.registry.host();
    let (client, _) = client(|config| config.credentials.push(login(&host, "me", "a&b=c")));
    client.resolve(&target(&host, "1")).unwrap();
    let asked = &service.tokens.requests()[1];
    assert_eq!((&*asked.method, &*asked.path), ("POST", "/token?a=b"));
    assert_eq!(
        asked.body,
        "scope=repository%3Ateam%2Fapp%3Apull&client_id=nodeimage&service=the+registry\
         &grant_type=password&username=me&password=a%26b%3Dc"
    );
    assert_eq!(asked.header("authorization"), None);
}

#[test]
fn identity_tokens_are_exchanged_by_post() {
    let service = service("", |request| {
        let good = request
            .body
            .contains("grant_type=refresh_token&refresh_token=refresh-1");
        (request.method != "POST" || !good).then_some(400)
    });
    let host = service.registry.host();
    let with = |token: &str| {
        let credential = Credential::IdentityToken(token.into());
        client(|config| {
            config
                .credentials
                .push(Login::new(&host, credential, "nodeimage.toml").unwrap())
        })
        .0
    };
    with("refresh-1").resolve(&target(&host, "1")).unwrap();
    let error = with("refresh-2").resolve(&target(&host, "1")).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unauthorized(_)),
        "{error}"
    );
    assert!(error.to_string().contains("nodeimage.toml"), "{error}");
}

#[test]
fn registry_tokens_go_straight_to_the_registry() {
    let service = service("", |_| Some(500));
    *service.valid.lock().unwrap() = "Bearer ready-made".to_owned();
    let host = service.registry.host();
    let credential = Credential::RegistryToken("ready-made".into());
    let login = Login::new(&host, credential, "here").unwrap();
    let (client, _) = client(|config| config.credentials.push(login));
    client.resolve(&target(&host, "1")).unwrap();
    assert!(service.tokens.requests().is_empty());
}

#[test]
fn many_at_once_ask_for_one_token() {
    let service = service(",\"expires_in\":300", |_| {
        thread::sleep(Duration::from_millis(100));
        None
    });
    let (host, (client, _)) = (service.registry.host(), client(|_| {}));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| read_blob(&client, &host, b"blob").unwrap());
        }
    });
    assert_eq!(service.tokens.requests().len(), 1);
}

#[test]
fn a_failing_service_is_asked_again() {
    let count = AtomicUsize::new(0);
    let service = service("", move |_| {
        (count.fetch_add(1, Ordering::SeqCst) < 2).then_some(503)
    });
    let (client, clock) = client(|_| {});
    client
        .resolve(&target(&service.registry.host(), "1"))
        .unwrap();
    assert_eq!(clock.pauses(), [500, 1000]);
}

#[test]
fn hostile_services() {
    let error_of = |realm: &'static str| {
        let server = Server::start(move |request, stream| match &*request.path {
            path if path.starts_with("/junk") => reply(stream, 200, &[], b"{\"token\":\"s3cret"),
            path if path.starts_with("/huge") => reply(stream, 200, &[], &vec![b' '; 1 << 20]),
            path if path.starts_with("/newline") => {
                reply(stream, 200, &[], br#"{"token":"a\r\nX-Evil: s3cret"}"#);
            }
            path if path.starts_with("/redirect") => {
                reply(stream, 307, &["Location: /junk"], b"");
            }
            _ => {
                let host = request.header("host").unwrap_or_default();
                let realm = realm.replace("HOST", host);
                let line = format!("WWW-Authenticate: Bearer realm=\"{realm}\"");
                reply(
                    stream,
                    if request.is_probe() { 200 } else { 401 },
                    &[&line],
                    b"",
                );
            }
        });
        let (client, _) = client(|config| {
            config
                .credentials
                .push(login(&server.host(), "me", "hunter22"))
        });
        let error = client.resolve(&target(&server.host(), "1")).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains("s3cret") && !text.contains("hunter22"),
            "{text}"
        );
        error
    };
    for (realm, expected) in [
        ("http://HOST/junk", "expected JSON"),
        ("http://HOST/newline", "no header may hold"),
        ("http://HOST/redirect", "redirect"),
        ("http://auth.example/token?sig=s3cret", "not https"),
        ("ftp://auth.example/", "not https"),
        ("http://u:s3cret@HOST/token", "user name"),
        ("token", "no URL"),
    ] {
        let error = error_of(realm);
        assert!(
            matches!(error.kind(), ErrorKind::Token(_)),
            "{realm}: {error}"
        );
        assert!(error.to_string().contains(expected), "{realm}: {error}");
    }
    let error = error_of("http://HOST/huge");
    assert!(
        matches!(error.kind(), ErrorKind::TooLarge { .. }),
        "{error}"
    );
}
