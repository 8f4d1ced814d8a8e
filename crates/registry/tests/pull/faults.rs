//! Blobs and manifests from a server that does everything wrong.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::server::{Server, blob, head, reply};
use crate::common::{TestClock, client, config, content, read_all, read_blob, target};
use nodeimage_registry::{Cancel, Client, Digest, Error, ErrorKind, MANIFEST_LIMIT};

/// Counts calls, from 1.
fn counter() -> impl Fn() -> usize {
    let count = AtomicUsize::new(0);
    move || count.fetch_add(1, Ordering::SeqCst) + 1
}

#[test]
fn resumes_where_the_connection_broke() {
    let (bytes, nth) = (content(1_000_000), counter());
    let served = bytes.clone();
    let server = Server::start(move |request, stream| {
        if request.is_probe() {
            return reply(stream, 200, &[], b"");
        }
        let (first, last) = (request.range().unwrap_or(0), served.len() - 1);
        let range = format!("Content-Range: bytes {first}-{last}/{}", served.len());
        let length = format!("Content-Length: {}", served.len() - first);
        let status = if first == 0 { 200 } else { 206 };
        head(stream, status, &[&length, &range]);
        let rest = &served[first..];
        let part = if nth() < 4 {
            rest.len() / 2
        } else {
            rest.len()
        };
        let _ = stream.write_all(&rest[..part]);
    });
    let clock = TestClock::new();
    let client = Client::new(config(&clock)).unwrap();
    assert_eq!(read_blob(&client, &server.host(), &bytes).unwrap(), bytes);
    let ranges: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.range())
        .collect();
    assert_eq!(ranges, [None, Some(500_000), Some(750_000), Some(875_000)]);
    assert_eq!(
        clock.pauses(),
        [500, 1000, 500],
        "progress of 256 KiB resets the back-off"
    );
}

#[test]
fn a_server_without_ranges_still_ends_right() {
    for status in [200, 206, 416] {
        let (bytes, nth) = (content(300_000), counter());
        let served = bytes.clone();
        let server = Server::start(move |request, stream| {
            if request.is_probe() {
                return reply(stream, 200, &[], b"");
            }
            if nth() == 1 {
                let length = format!("Content-Length: {}", served.len());
                head(stream, 200, &[&length]);
                let _ = stream.write_all(&served[..100_000]);
                return;
            }
            match (request.range(), status) {
                // Another range than was asked for.
                (Some(_), 206) => {
                    reply(
                        stream,
                        206,
                        &["Content-Range: bytes 200000-299999/300000"],
                        &served[200_000..],
                    );
                }
                (Some(_), 416) => reply(stream, 416, &[], b""),
                _ => reply(stream, 200, &[], &served),
            }
        });
        assert_eq!(
            read_blob(&client(), &server.host(), &bytes).unwrap(),
            bytes,
            "{status}"
        );
    }
}

#[test]
fn an_earlier_range_than_asked_for_is_cut() {
    let (bytes, nth) = (content(300_000), counter());
    let served = bytes.clone();
    let server = Server::start(move |request, stream| {
        if request.is_probe() {
            reply(stream, 200, &[], b"");
        } else if nth() == 1 {
            head(stream, 200, &["Content-Length: 300000"]);
            let _ = stream.write_all(&served[..100_001]);
        } else {
            reply(
                stream,
                206,
                &["Content-Range: bytes 65536-299999/300000"],
                &served[65536..],
            );
        }
    });
    assert_eq!(read_blob(&client(), &server.host(), &bytes).unwrap(), bytes);
}

#[test]
fn an_end_without_a_length_is_not_the_end() {
    let (bytes, nth) = (content(100_000), counter());
    let served = bytes.clone();
    let server = Server::start(move |request, stream| {
        if request.is_probe() {
            reply(stream, 200, &[], b"");
        } else if nth() == 1 {
            head(stream, 200, &[]);
            let _ = stream.write_all(&served[..60_000]);
        } else {
            blob(request, stream, &served);
        }
    });
    assert_eq!(read_blob(&client(), &server.host(), &bytes).unwrap(), bytes);
    assert_eq!(server.requests()[1].range(), Some(60_000));
}

#[test]
fn a_server_that_always_drops_is_given_up() {
    let server = Server::start(move |request, stream| {
        if request.is_probe() {
            return reply(stream, 200, &[], b"");
        }
        let first = request.range().unwrap_or(0);
        let range = format!("Content-Range: bytes {first}-999999/1000000");
        head(stream, if first == 0 { 200 } else { 206 }, &[&range]);
        let _ = stream.write_all(b"x");
    });
    let clock = TestClock::new();
    let client = Client::new(config(&clock)).unwrap();
    let error = read_all(&client, &server.host(), &Digest::of(b"y"), 1_000_000).unwrap_err();
    assert!(error.contains("ended after 6 of 1000000"), "{error}");
    assert_eq!(server.requests().len(), 6);
    assert_eq!(clock.pauses(), [500, 1000, 2000, 4000, 8000]);
}

#[test]
fn failures_that_pass() {
    for (status, lines, pauses) in [
        (429, &["Retry-After: 7"][..], [7000, 7000]),
        (429, &[], [500, 1000]),
        (503, &["Retry-After: 1"], [1000, 1000]),
        (500, &[], [500, 1000]),
        (502, &[], [500, 1000]),
    ] {
        let (bytes, nth) = (content(1000), counter());
        let served = bytes.clone();
        let server = Server::start(move |request, stream| {
            if request.is_probe() {
                reply(stream, 200, &[], b"");
            } else if nth() < 3 {
                reply(stream, status, lines, b"<html>");
            } else {
                blob(request, stream, &served);
            }
        });
        let clock = TestClock::new();
        let client = Client::new(config(&clock)).unwrap();
        assert_eq!(
            read_blob(&client, &server.host(), &bytes).unwrap(),
            bytes,
            "{status}"
        );
        assert_eq!(clock.pauses(), pauses, "{status}");
    }
}

#[test]
fn failures_that_stay() {
    for (status, expected) in [
        (401, "not authorized"),
        (403, "access denied"),
        (404, "not found"),
        (418, "418"),
    ] {
        let server = Server::start(move |request, stream| {
            let lines = ["WWW-Authenticate: Basic realm=x"];
            let status = if request.is_probe() { 200 } else { status };
            reply(stream, status, &lines, b"");
        });
        let clock = TestClock::new();
        let client = Client::new(config(&clock)).unwrap();
        let error = read_all(&client, &server.host(), &Digest::of(b"y"), 1).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert_eq!(server.requests().len(), 1, "{status}");
        assert!(clock.pauses().is_empty());
    }
}

#[test]
fn a_wait_of_hours_is_reported_and_not_waited() {
    let server = Server::start(|request, stream| {
        let status = if request.is_probe() { 200 } else { 429 };
        let text =
            br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your limit"}]}"#;
        let body: &[u8] = if request.method == "HEAD" { b"" } else { text };
        reply(stream, status, &["Retry-After: 21600"], body);
    });
    let error = read_all(&client(), &server.host(), &Digest::of(b"y"), 1).unwrap_err();
    assert!(
        error.contains("TOOMANYREQUESTS") && error.contains("21600 s"),
        "{error}"
    );
    assert!(error.contains("mirror"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn wrong_lengths() {
    // Announced wrongly, in both directions; sent too long without announcing.
    for (announced, sent) in [
        (Some(999), 999),
        (Some(1001), 1001),
        (None, 1001),
        (None, 1_000_000),
    ] {
        let bytes = content(1_000_000);
        let expected = Digest::of(&bytes[..1000]);
        let server = Server::start(move |request, stream| {
            if request.is_probe() {
                return reply(stream, 200, &[], b"");
            }
            let line = announced.map(|length: u64| format!("Content-Length: {length}"));
            head(
                stream,
                200,
                &line.iter().map(String::as_str).collect::<Vec<_>>(),
            );
            let _ = stream.write_all(&bytes[..sent]);
        });
        let error = read_all(&client(), &server.host(), &expected, 1000).unwrap_err();
        assert!(
            error.contains("not the expected 1000"),
            "{announced:?} {sent}: {error}"
        );
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn an_endless_stream_is_cut() {
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let server = Server::start(move |request, stream| {
        if request.is_probe() {
            return reply(stream, 200, &[], b"");
        }
        head(stream, 200, &["Transfer-Encoding: chunked"]);
        let chunk = [b"10000\r\n".as_slice(), &[0; 65536], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {
            count.fetch_add(65536, Ordering::SeqCst);
        }
    });
    let error = read_all(&client(), &server.host(), &Digest::of(b"y"), 100_000).unwrap_err();
    assert!(error.contains("more bytes long"), "{error}");
    thread::sleep(Duration::from_millis(300));
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < 64 << 20, "{sent}");
    let error = client()
        .manifest(&target(&server.host(), "1"), &Digest::of(b"y"))
        .unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::TooLarge {
                limit: MANIFEST_LIMIT,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn wrong_content() {
    let server = Server::start(|request, stream| match &*request.path {
        "/v2/" => reply(stream, 200, &[], b""),
        _ => reply(
            stream,
            200,
            &["Content-Encoding: gzip", "Content-Type: application/json"],
            b"wrong",
        ),
    });
    let error = read_all(&client(), &server.host(), &Digest::of(b"right"), 5).unwrap_err();
    let right = Digest::of(b"right").to_string();
    assert!(
        error.contains(&right) && error.contains(&Digest::of(b"wrong").to_string()),
        "{error}"
    );
    let error = client()
        .manifest(&target(&server.host(), "1"), &Digest::of(b"right"))
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::DigestMismatch { .. }),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("Content-Encoding") && text.contains(&server.host()),
        "{text}"
    );
    // A tag that resolves to whatever an encoding hides.
    let error = client().resolve(&target(&server.host(), "1")).unwrap_err();
    assert!(error.to_string().contains("Content-Encoding"), "{error}");
    // The label alone is harmless where bytes are verified.
    assert_eq!(
        read_blob(&client(), &server.host(), b"wrong").unwrap(),
        b"wrong"
    );
    let sent = server.requests();
    assert!(
        sent.iter()
            .all(|request| request.header("accept-encoding") == Some("identity"))
    );
}

#[test]
fn resolving_by_head_and_without() {
    let manifest = br#"{"schemaVersion":2}"#;
    let digest = Digest::of(manifest);
    for kind in ["header", "no header", "no HEAD", "404 HEAD"] {
        let server = Server::start(move |request, stream| {
            if request.is_probe() {
                return reply(stream, 200, &[], b"");
            }
            let named = format!("Docker-Content-Digest: {digest}");
            match (&*request.method, kind) {
                ("HEAD", "header") => head(stream, 200, &[&named, "Content-Length: 19"]),
                ("HEAD", "no HEAD") => head(stream, 405, &["Content-Length: 0"]),
                ("HEAD", "404 HEAD") => head(stream, 404, &["Content-Length: 0"]),
                ("HEAD", _) => head(stream, 200, &["Content-Length: 19"]),
                _ => reply(
                    stream,
                    200,
                    &["Content-Type: application/vnd.oci.image.index.v1+json; x=y"],
                    manifest,
                ),
            }
        });
        assert_eq!(
            client().resolve(&target(&server.host(), "1")).unwrap(),
            digest,
            "{kind}"
        );
        let methods: Vec<_> = server
            .requests()
            .into_iter()
            .map(|request| request.method)
            .collect();
        let expected: &[&str] = if kind == "header" {
            &["HEAD"]
        } else {
            &["HEAD", "GET"]
        };
        assert_eq!(methods, expected, "{kind}");
        let got = client()
            .manifest(&target(&server.host(), "1"), &digest)
            .unwrap();
        assert_eq!(got.media_type, "application/vnd.oci.image.index.v1+json");
    }
}

#[test]
fn foreign_digests_and_formats_are_named() {
    let sha512 = "0".repeat(128);
    let header = format!("Docker-Content-Digest: sha512:{sha512}");
    let server = Server::start(move |request, stream| match &*request.path {
        "/v2/team/app/manifests/old" => {
            let kind = "Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws";
            reply(
                stream,
                200,
                &[kind],
                if request.method == "HEAD" { b"" } else { b"{}" },
            );
        }
        "/v2/team/app/manifests/junk" => head(
            stream,
            200,
            &["Docker-Content-Digest: sha256:../..", "Content-Length: 0"],
        ),
        _ => head(stream, 200, &[&header, "Content-Length: 0"]),
    });
    let error = client().resolve(&target(&server.host(), "1")).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::UnsupportedDigest(_)),
        "{error}"
    );
    assert!(error.to_string().contains("sha512"), "{error}");
    let error = client()
        .resolve(&target(&server.host(), "old"))
        .unwrap_err();
    assert!(error.to_string().contains("schema 1"), "{error}");
    let error = client()
        .resolve(&target(&server.host(), "junk"))
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Protocol(_)), "{error}");
}

#[test]
fn the_documents_own_media_type_counts() {
    let manifest = br#"{"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;
    let server = Server::start(move |_, stream| {
        reply(
            stream,
            200,
            &["Content-Type: application/vnd.oci.image.index.v1+json"],
            manifest,
        );
    });
    let got = client()
        .manifest(&target(&server.host(), "1"), &Digest::of(manifest))
        .unwrap();
    assert_eq!(got.media_type, "application/vnd.oci.image.manifest.v1+json");
}

#[test]
fn floods_of_headers_are_refused() {
    let server = Server::start(move |request, stream| {
        if request.is_probe() {
            return reply(stream, 200, &[], b"");
        }
        let many: Vec<String> = (0..5000).map(|n| format!("X-{n}: y")).collect();
        head(
            stream,
            200,
            &many.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    });
    let error = client().resolve(&target(&server.host(), "1")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Interrupted(_)), "{error}");
}

#[test]
fn slow_servers_time_out() {
    // In the headers, in silence after them, and as a trickle.
    for kind in ["headers", "silence", "trickle"] {
        let server = Server::start(move |request, stream| {
            if request.is_probe() {
                return reply(stream, 200, &[], b"");
            }
            let text: &[u8] = match kind {
                "headers" => b"HTTP/1.1 200 OK\r\nX-Slow: ",
                "silence" => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxx",
                _ => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
            };
            let _ = stream.write_all(text);
            let end = Instant::now() + Duration::from_secs(10);
            while Instant::now() < end {
                thread::sleep(Duration::from_millis(100));
                if kind != "silence" && stream.write_all(b"x").is_err() {
                    break;
                }
            }
        });
        let clock = TestClock::new();
        let mut config = config(&clock);
        config.timeouts.response = Duration::from_millis(1500);
        config.timeouts.idle = Duration::from_millis(700);
        config.retry.attempts = 1;
        let client = Client::new(config).unwrap();
        let started = Instant::now();
        let mut got = Vec::new();
        let result = client
            .blob(&target(&server.host(), "1"), &Digest::of(b"y"), 1000)
            .map_err(std::io::Error::from)
            .and_then(|mut reader| reader.read_to_end(&mut got));
        let error = result.unwrap_err();
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::TimedOut,
            "{kind}: {error}"
        );
        let inner = error
            .get_ref()
            .and_then(|error| error.downcast_ref::<Error>())
            .unwrap();
        assert!(matches!(inner.kind(), ErrorKind::Timeout { .. }), "{inner}");
        assert!(
            started.elapsed() < Duration::from_secs(6),
            "{kind} {:?}",
            started.elapsed()
        );
    }
}

#[test]
fn a_slow_reader_is_not_a_slow_server() {
    let bytes = content(8_000_000);
    let served = bytes.clone();
    let server = Server::start(move |request, stream| match request.is_probe() {
        true => reply(stream, 200, &[], b""),
        false => blob(request, stream, &served),
    });
    let (registry, client) = (server.host(), client());
    let mut reader = client
        .blob(&target(&registry, "1"), &Digest::of(&bytes), 8_000_000)
        .unwrap();
    let mut got = vec![0; 1000];
    reader.read_exact(&mut got).unwrap();
    thread::sleep(Duration::from_secs(4));
    reader.read_to_end(&mut got).unwrap();
    assert_eq!(got, bytes);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn cancelling_ends_everything_soon() {
    let server = Server::start(|request, stream| {
        if request.is_probe() {
            return reply(stream, 200, &[], b"");
        }
        if request.path.contains("/blobs/") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxx");
        }
        thread::sleep(Duration::from_secs(5));
    });
    let mut config = config(&TestClock::new());
    config.timeouts.response = Duration::from_secs(60);
    config.timeouts.idle = Duration::from_secs(60);
    let client = Client::new(config).unwrap();
    let cancelled = |cancel: &Cancel| {
        let cancel = cancel.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            cancel.cancel();
        });
        Instant::now()
    };
    let cancel = Cancel::new();
    let started = cancelled(&cancel);
    let error = client
        .with_cancel(cancel)
        .resolve(&target(&server.host(), "1"))
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Cancelled), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3));

    let cancel = Cancel::new();
    let started = cancelled(&cancel);
    let error = read_all(
        &client.with_cancel(cancel),
        &server.host(),
        &Digest::of(b"y"),
        1000,
    );
    assert!(error.unwrap_err().contains("cancelled"));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn progress_counts_content_once() {
    let (bytes, nth) = (content(1_000_000), counter());
    let served = bytes.clone();
    let server = Server::start(move |request, stream| {
        if request.is_probe() {
            reply(stream, 200, &[], b"");
        } else if nth() == 1 {
            head(stream, 200, &["Content-Length: 1000000"]);
            let _ = stream.write_all(&served[..600_000]);
        } else {
            reply(stream, 200, &[], &served);
        }
    });
    let total = Arc::new(AtomicU64::new(0));
    let sum = Arc::clone(&total);
    let client = client().with_progress(Arc::new(move |count| {
        sum.fetch_add(count, Ordering::SeqCst);
    }));
    assert_eq!(read_blob(&client, &server.host(), &bytes).unwrap(), bytes);
    assert_eq!(total.load(Ordering::SeqCst), 1_000_000);
}

#[test]
fn nobody_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let clock = TestClock::new();
    let error = Client::new(config(&clock))
        .unwrap()
        .resolve(&target(&host, "1"))
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Connect(_)), "{error}");
    assert!(
        error.to_string().contains(&format!("{host}/team/app:1")),
        "{error}"
    );
    assert_eq!(clock.pauses().len(), 5);
}
