//! Tags to digests, and manifests by digest.

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Response};
use serde::Deserialize;

use crate::body;
use crate::core::{Attempt, Core};
use crate::digest::Digest;
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Failure, Result, quoted};
use crate::exchange::{Call, exchange};
use crate::target::{Reference, Target};

/// Longest manifest or index accepted, in bytes: what the distribution
/// specification asks registries to accept at least, and no one exceeds.
pub const MANIFEST_LIMIT: u64 = 4 << 20;

const ACCEPTED: HeaderValue = HeaderValue::from_static(
    "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json",
);

/// A manifest or index, verified against its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The document's own `mediaType`, which its digest covers; where it has
    /// none, the answer's `Content-Type`, which nothing vouches for.
    pub media_type: String,
    /// The document, byte for byte.
    pub bytes: Vec<u8>,
}

/// The digest behind a tag. Asked by HEAD, which rate limits do not count.
pub(crate) async fn resolve(core: &Core, target: &Target) -> Result<Digest> {
    let tag = match target.reference() {
        Reference::Digest(digest) => return Ok(*digest),
        Reference::Tag(tag) => tag,
    };
    core.try_everywhere(target, &ResolveTag(tag)).await
}

struct ResolveTag<'a>(&'a str);

impl Attempt for ResolveTag<'_> {
    type Output = Digest;

    async fn at(&self, core: &Core, endpoint: &Endpoint) -> Result<Digest, Failure> {
        resolve_at(core, endpoint, self.0).await
    }
}

async fn resolve_at(core: &Core, endpoint: &Endpoint, tag: &str) -> Result<Digest, Failure> {
    match exchange(core, endpoint, &call(Method::HEAD, tag)).await {
        Ok(response) => {
            if let Some(digest) = header_digest(&response)? {
                return Ok(digest);
            }
        }
        // Some registries do not answer HEAD, and no failing HEAD says why: GET
        // does both.
        Err(Failure {
            kind: ErrorKind::NotFound(_) | ErrorKind::Status { .. },
            ..
        }) => {}
        Err(failure) => return Err(failure),
    }
    let response = exchange(core, endpoint, &call(Method::GET, tag)).await?;
    let named = header_digest(&response)?;
    let url = response.url().clone();
    refuse_schema_1(&response)?;
    if let Some(coding) = coding(&response) {
        let what =
            format!("the manifest came with Content-Encoding {coding:?}, which was not asked for");
        return Err(Failure::protocol(what, &url));
    }
    let bytes = body::read(
        response,
        "the manifest",
        MANIFEST_LIMIT,
        core.transport.timeouts(),
    )
    .await?;
    let actual = Digest::of(&bytes);
    match named {
        Some(expected) if expected != actual => Err(Failure::at(
            ErrorKind::DigestMismatch {
                expected,
                actual,
                note: "",
            },
            &url,
        )),
        _ => Ok(actual),
    }
}

/// The manifest with that digest.
pub(crate) async fn manifest(core: &Core, target: &Target, digest: Digest) -> Result<Manifest> {
    core.try_everywhere(target, &FetchManifest(digest)).await
}

struct FetchManifest(Digest);

impl Attempt for FetchManifest {
    type Output = Manifest;

    async fn at(&self, core: &Core, endpoint: &Endpoint) -> Result<Manifest, Failure> {
        manifest_at(core, endpoint, self.0).await
    }
}

async fn manifest_at(
    core: &Core,
    endpoint: &Endpoint,
    expected: Digest,
) -> Result<Manifest, Failure> {
    fetch_at(core, endpoint, &expected.to_string(), Some(expected)).await
}

/// The manifest behind a tag. Only what the registry itself says of its digest is checked.
pub(crate) async fn tagged_at(
    core: &Core,
    endpoint: &Endpoint,
    tag: &str,
) -> Result<Manifest, Failure> {
    fetch_at(core, endpoint, tag, None).await
}

async fn fetch_at(
    core: &Core,
    endpoint: &Endpoint,
    reference: &str,
    expected: Option<Digest>,
) -> Result<Manifest, Failure> {
    let response = exchange(core, endpoint, &call(Method::GET, reference)).await?;
    let url = response.url().clone();
    refuse_schema_1(&response)?;
    let note = match coding(&response) {
        Some(_) => "; it came with a Content-Encoding, which was not asked for and is not decoded",
        None => "",
    };
    let announced = content_type(&response);
    let named = match expected {
        Some(_) => None,
        None => header_digest(&response)?,
    };
    let bytes = body::read(
        response,
        "the manifest",
        MANIFEST_LIMIT,
        core.transport.timeouts(),
    )
    .await?;
    let actual = Digest::of(&bytes);
    if let Some(expected) = expected.or(named)
        && actual != expected
    {
        return Err(Failure::at(
            ErrorKind::DigestMismatch {
                expected,
                actual,
                note,
            },
            &url,
        ));
    }
    let media_type = own_media_type(&bytes).unwrap_or(announced);
    Ok(Manifest { media_type, bytes })
}

fn call(method: Method, reference: &str) -> Call {
    Call {
        method,
        path: format!("manifests/{reference}"),
        query: String::new(),
        accept: Some(ACCEPTED),
        skip: 0,
    }
}

fn header_digest(response: &Response) -> Result<Option<Digest>, Failure> {
    let Some(value) = response.headers().get("docker-content-digest") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("(not text)").trim();
    if text.is_empty() {
        return Ok(None);
    }
    let url = response.url();
    text.parse()
        .map(Some)
        .map_err(|error: crate::DigestError| match error {
            crate::DigestError::Algorithm(_) => {
                Failure::at(ErrorKind::UnsupportedDigest(error.to_string()), url)
            }
            crate::DigestError::Malformed(_) => {
                Failure::protocol(format!("Docker-Content-Digest: {error}"), url)
            }
        })
}

/// Docker's schema 1 was given up in 2017; its digest leaves out a signature, so
/// all it could give is a puzzling mismatch.
fn refuse_schema_1(response: &Response) -> Result<(), Failure> {
    if content_type(response).starts_with("application/vnd.docker.distribution.manifest.v1") {
        let what = "the image is in the retired schema 1 format; push it again with a current tool";
        return Err(Failure::protocol(what, response.url()));
    }
    Ok(())
}

fn content_type(response: &Response) -> String {
    let value = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    quoted(essence).to_ascii_lowercase()
}

fn coding(response: &Response) -> Option<String> {
    let value = response.headers().get(CONTENT_ENCODING)?;
    let text = quoted(value.to_str().unwrap_or("(not text)"));
    (!text.eq_ignore_ascii_case("identity") && !text.is_empty()).then_some(text)
}

fn own_media_type(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "mediaType")]
        media_type: Option<String>,
    }
    serde_json::from_slice::<Head>(bytes)
        .ok()?
        .media_type
        .filter(|text| !text.is_empty())
}
