//! What a registry holds about an image: its referrers, and manifests by tag.
//!
//! OCI Distribution Specification 1.1, "Listing Referrers": the API, and where a registry does not
//! have it the index under the tag `sha256-<hex>`. Lists are what the registry says and prove
//! nothing; what they name is fetched by digest.

use std::collections::BTreeMap;

use reqwest::header::{HeaderValue, LINK};
use reqwest::{Method, Response};
use serde::Deserialize;

use crate::body;
use crate::core::{Attempt, Core};
use crate::digest::Digest;
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Failure, Result};
use crate::exchange::{Call, exchange};
use crate::manifest::{self, MANIFEST_LIMIT, Manifest};
use crate::target::Target;

/// Most pages of one list.
const PAGES: usize = 16;
/// Most referrers of one image.
const MOST: usize = 4096;

const INDEX: HeaderValue = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");

/// A manifest that says something about an image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    /// Media type of the manifest.
    #[serde(default)]
    pub media_type: String,
    /// Digest of the manifest, as it is written.
    pub digest: String,
    /// What kind of thing it says; empty where the list does not tell.
    #[serde(default)]
    pub artifact_type: String,
    /// The manifest's annotations.
    #[serde(default)]
    pub annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    manifests: Option<Vec<Referrer>>,
}

/// The manifest behind the target's tag; `None` when there is no such tag.
pub(crate) async fn tagged(core: &Core, target: &Target, tag: &str) -> Result<Option<Manifest>> {
    core.try_everywhere(target, &FetchTag(tag))
        .await
        .map(Some)
        .or_else(|error| match error.kind() {
            ErrorKind::NotFound(_) => Ok(None),
            _ => Err(error),
        })
}

struct FetchTag<'a>(&'a str);

impl Attempt for FetchTag<'_> {
    type Output = Manifest;

    async fn at(&self, core: &Core, endpoint: &Endpoint) -> Result<Manifest, Failure> {
        manifest::tagged_at(core, endpoint, self.0).await
    }
}

/// What refers to `digest`, in the registry's order; none when nothing does.
pub(crate) async fn referrers(
    core: &Core,
    target: &Target,
    digest: Digest,
) -> Result<Vec<Referrer>> {
    let listed = core
        .try_everywhere(&target.with_digest(digest), &ListReferrers(digest))
        .await;
    match listed {
        Ok(Some(referrers)) => return Ok(referrers),
        // No such API: registries say so in many ways.
        Ok(None) => {}
        Err(error) => match error.kind() {
            ErrorKind::NotFound(_) | ErrorKind::Status { .. } => {}
            _ => return Err(error),
        },
    }
    let tag = format!("sha256-{}", hex::encode(digest.as_bytes()));
    let Some(index) = tagged(core, target, &tag).await? else {
        return Ok(Vec::new());
    };
    let list: List = serde_json::from_slice(&index.bytes).map_err(|error| {
        let what = format!("the index of referrers under the tag {tag} does not parse: {error}");
        crate::Error::new(target, ErrorKind::Protocol(what))
    })?;
    let mut referrers = list.manifests.unwrap_or_default();
    referrers.truncate(MOST);
    Ok(referrers)
}

struct ListReferrers(Digest);

impl Attempt for ListReferrers {
    /// `None`: what came is no list.
    type Output = Option<Vec<Referrer>>;

    async fn at(&self, core: &Core, endpoint: &Endpoint) -> Result<Self::Output, Failure> {
        let path = format!("referrers/{}", self.0);
        let mut query = String::new();
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let call = Call {
                method: Method::GET,
                path: path.clone(),
                query: std::mem::take(&mut query),
                accept: Some(INDEX),
                skip: 0,
            };
            let response = exchange(core, endpoint, &call).await?;
            let next = next_page(&response);
            let timeouts = core.transport.timeouts();
            let bytes =
                body::read(response, "the list of referrers", MANIFEST_LIMIT, timeouts).await?;
            let Ok(List {
                manifests: Some(manifests),
            }) = serde_json::from_slice(&bytes)
            else {
                return Ok(None);
            };
            all.extend(manifests);
            if all.len() >= MOST {
                all.truncate(MOST);
                break;
            }
            match next {
                Some(next) => query = next,
                None => break,
            }
        }
        Ok(Some(all))
    }
}

/// The query of the next page: the path stays ours, whatever the header says.
fn next_page(response: &Response) -> Option<String> {
    let link = response.headers().get(LINK)?.to_str().ok()?;
    let (url, parameters) = link.strip_prefix('<')?.split_once('>')?;
    let rel = parameters.replace(['"', ' '], "");
    if !rel.split(';').any(|parameter| parameter == "rel=next") {
        return None;
    }
    let (_, query) = url.split_once('?')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%=&+/:".contains(c);
    (query.len() <= 1024 && query.chars().all(plain)).then(|| query.to_owned())
}
