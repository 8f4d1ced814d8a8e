//! Small bodies, read within a limit of bytes and of time.

use reqwest::Response;

use crate::config::Timeouts;
use crate::error::{ErrorKind, Failure};
use crate::transport::classify;

/// Reads a whole body of at most `limit` bytes; `what` names it in errors.
pub(crate) async fn read(
    mut response: Response,
    what: &'static str,
    limit: u64,
    timeouts: &Timeouts,
) -> Result<Vec<u8>, Failure> {
    let url = response.url().clone();
    let too_large = || Failure::at(ErrorKind::TooLarge { what, limit }, &url);
    if response
        .content_length()
        .is_some_and(|length| length > limit)
    {
        return Err(too_large());
    }
    let read = async {
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| Failure::at(classify(error, timeouts), &url))?
        {
            if (bytes.len() as u64).saturating_add(chunk.len() as u64) > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    let after = timeouts.small_body;
    tokio::time::timeout(after, read)
        .await
        .unwrap_or_else(|_| Err(Failure::at(ErrorKind::Timeout { what, after }, &url)))
}
