//! What refers to an image: the API, its pages, and the tag that stands in for it.

use std::net::TcpStream;

use crate::common::real::{Registry, Serving, storage};
use crate::common::server::{Request, Server, reply};
use crate::common::{client, content, target};
use nodeimage_registry::{Digest, ErrorKind};

const INDEX: &str = "Content-Type: application/vnd.oci.image.index.v1+json";

fn list(digests: &[Digest]) -> String {
    let all: Vec<String> = digests
        .iter()
        .map(|digest| {
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":1,"artifactType":"a/b"}}"#
            )
        })
        .collect();
    format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, all.join(","))
}

fn digests(count: u8) -> Vec<Digest> {
    (0..count).map(|n| Digest::of(&[n])).collect()
}

fn found(server: &Server, image: &Digest) -> Result<Vec<String>, ErrorKind> {
    let referrers = client().referrers(&target(&server.host(), "1"), image);
    let found = referrers.map_err(|error| error.kind().clone())?;
    Ok(found.into_iter().map(|one| one.digest).collect())
}

fn texts(digests: &[Digest]) -> Vec<String> {
    digests.iter().map(ToString::to_string).collect()
}

#[test]
fn pages_are_followed_on_their_own_path() {
    let image = Digest::of(b"image");
    let all = digests(3);
    let pages = all.clone();
    let server = Server::start(move |request: &Request, stream: &mut TcpStream| {
        if request.is_probe() {
            return reply(stream, 200, &[], b"");
        }
        let (page, more) = match request.path.split_once("?n=") {
            None => (
                0,
                Some("Link: <http://evil.example/v2/x?n=1>; rel=\"next\""),
            ),
            Some((_, "1")) => (1, Some("Link: </anything?n=2>;rel=next")),
            Some(_) => (2, Some("Link: </anything?n=0>; rel=\"last\"")),
        };
        let body = list(&pages[page..=page]);
        let lines: Vec<&str> = [Some(INDEX), more].into_iter().flatten().collect();
        reply(stream, 200, &lines, body.as_bytes());
    });
    assert_eq!(found(&server, &image).unwrap(), texts(&all));
    let path = format!("/v2/team/app/referrers/{image}");
    let asked: Vec<String> = server.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(
        asked,
        [path.clone(), format!("{path}?n=1"), format!("{path}?n=2")]
    );
}

#[test]
fn pages_without_end_come_to_one() {
    let image = Digest::of(b"image");
    let server = Server::start(|request: &Request, stream: &mut TcpStream| {
        if request.is_probe() {
            return reply(stream, 200, &[], b"");
        }
        let next = "Link: </v2/team/app/referrers/x?n=1>; rel=\"next\"";
        reply(stream, 200, &[INDEX, next], list(&digests(1)).as_bytes());
    });
    assert_eq!(found(&server, &image).unwrap().len(), 16);
    assert_eq!(server.requests().len(), 16);
}

#[test]
fn without_the_api_the_tag_is_asked() {
    for (status, answer) in [
        (404, ""),
        (400, ""),
        (405, ""),
        (200, "<html>"),
        (200, "{}"),
    ] {
        let image = Digest::of(b"image");
        let tag = format!("sha256-{}", image.to_string().replace("sha256:", ""));
        let all = digests(2);
        let index = list(&all);
        let server = Server::start(move |request: &Request, stream: &mut TcpStream| {
            if request.is_probe() {
                reply(stream, 200, &[], b"");
            } else if request.path.ends_with(&format!("/manifests/{tag}")) {
                reply(stream, 200, &[INDEX], index.as_bytes());
            } else {
                reply(stream, status, &[], answer.as_bytes());
            }
        });
        assert_eq!(found(&server, &image).unwrap(), texts(&all), "{status}");
    }
}

#[test]
fn faults_are_not_taken_for_an_empty_list() {
    let image = Digest::of(b"image");
    for status in [401, 403] {
        let server = Server::start(move |request: &Request, stream: &mut TcpStream| {
            let status = if request.is_probe() { 200 } else { status };
            reply(stream, status, &[], b"");
        });
        assert!(found(&server, &image).is_err(), "{status}");
    }
    let server =
        Server::start(
            |request: &Request, stream: &mut TcpStream| match request.path.as_str() {
                "/v2/" => reply(stream, 200, &[], b""),
                path if path.contains("/manifests/") => reply(stream, 200, &[INDEX], b"no json"),
                _ => reply(stream, 404, &[], b""),
            },
        );
    assert!(matches!(
        found(&server, &image),
        Err(ErrorKind::Protocol(_))
    ));
}

#[test]
fn a_tag_that_is_not_what_its_header_says_is_refused() {
    let server = Server::start(|request: &Request, stream: &mut TcpStream| {
        let digest = format!("Docker-Content-Digest: {}", Digest::of(b"other"));
        match request.path.as_str() {
            "/v2/" => reply(stream, 200, &[], b""),
            _ => reply(stream, 200, &[INDEX, &digest], b"{}"),
        }
    });
    let error = client()
        .tagged(&target(&server.host(), "1"), "x.sig")
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::DigestMismatch { .. }));
    let error = client()
        .tagged(&target(&server.host(), "1"), "../x")
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BadReference(_)));
}

#[test]
fn a_real_registry_has_tags_and_no_referrers() {
    let (dir, digest, manifest) = storage(&content(1000));
    let registry = Registry::start(dir.path(), &Serving::default());
    let target = target(&registry.host(), "1");
    let tagged = client().tagged(&target, "1").unwrap().unwrap();
    assert_eq!(tagged.bytes, manifest.as_bytes());
    assert_eq!(client().tagged(&target, "none").unwrap(), None);
    assert_eq!(client().referrers(&target, &digest).unwrap(), []);
}
