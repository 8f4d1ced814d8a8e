//! The network side of a blob: opens it, resumes it, moves to the next place.

use std::time::Duration;

use bytes::{Buf, Bytes};
use reqwest::header::CONTENT_RANGE;
use reqwest::{Method, Response};
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use super::range::ContentRange;
use super::{Piece, Wanted};
use crate::core::{Core, Failures};
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Failure};
use crate::exchange::{Call, exchange};
use crate::transport::classify;

/// Progress that makes past failures forgotten. A server that drops every
/// connection after a few bytes must not be resumed for ever.
const PROGRESS: u64 = 256 << 10;

enum Stop {
    Failed(Failure),
    /// Nobody reads any more.
    Unread,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// How far a blob has come, whatever places it came from.
struct Download<'a> {
    core: &'a Core,
    wanted: &'a Wanted,
    pieces: &'a Sender<Piece>,
    received: u64,
    /// Ranges were answered with nonsense; skip by reading instead.
    no_ranges: bool,
}

pub(super) async fn fetch(core: &Core, wanted: &Wanted, pieces: &Sender<Piece>) {
    let mut download = Download {
        core,
        wanted,
        pieces,
        received: 0,
        no_ranges: false,
    };
    let mut failed = Failures::default();
    for endpoint in core.endpoints(&wanted.target) {
        match download.from(&endpoint).await {
            Ok(()) | Err(Stop::Unread) => return,
            Err(Stop::Failed(failure)) => failed.add(failure),
        }
    }
    // A reader that has gone needs no error.
    let _ = pieces
        .send(Piece::Failed(failed.into_error(&wanted.target)))
        .await;
}

impl Download<'_> {
    async fn from(&mut self, endpoint: &Endpoint) -> Result<(), Stop> {
        let mut backoff = self.core.backoff(endpoint);
        let mut mark = self.received;
        self.no_ranges = false;
        loop {
            let failure = match self.attempt(endpoint).await {
                Ok(()) => return Ok(()),
                Err(Stop::Unread) => return Err(Stop::Unread),
                Err(Stop::Failed(failure)) => failure,
            };
            if self.wanted.size > 0
                && self.received == self.wanted.size
                && failure.kind.is_transient()
            {
                // Everything is here; only the end of the answer went missing.
                return Ok(());
            }
            if self.received - mark >= PROGRESS {
                backoff.reset();
                mark = self.received;
            }
            let bad_range = matches!(failure.kind, ErrorKind::Status { status: 416, .. });
            if bad_range && self.received > 0 && !self.no_ranges {
                self.no_ranges = true;
                continue;
            }
            backoff.pause(failure).await?;
        }
    }

    async fn attempt(&mut self, endpoint: &Endpoint) -> Result<(), Stop> {
        let (response, skip) = loop {
            let call = Call {
                method: Method::GET,
                path: format!("blobs/{}", self.wanted.digest),
                query: String::new(),
                accept: None,
                skip: if self.no_ranges { 0 } else { self.received },
            };
            let response = exchange(self.core, endpoint, &call).await?;
            if let Some(skip) = self.skip(&response, call.skip)? {
                break (response, skip);
            }
            self.no_ranges = true;
        };
        let mirror = endpoint.mirror.then(|| endpoint.authority.clone());
        self.hand_over(Piece::From { mirror }).await?;
        self.copy(response, skip).await
    }

    /// Bytes at the start of the answer that we have already; `None` when the
    /// answer is to another range than was asked for.
    fn skip(&self, response: &Response, asked: u64) -> Result<Option<u64>, Failure> {
        let size = self.wanted.size;
        let check = |announced: Option<u64>| match announced {
            Some(length) if length != size => {
                let kind = ErrorKind::LengthMismatch {
                    expected: size,
                    actual: length.to_string(),
                };
                Err(Failure::at(kind, response.url()))
            }
            _ => Ok(()),
        };
        match response.status().as_u16() {
            206 => {
                let header = response.headers().get(CONTENT_RANGE);
                let range = header.and_then(|value| ContentRange::parse(value.to_str().ok()?));
                let Some(range) = range.filter(|range| range.first <= self.received) else {
                    if asked == 0 {
                        let what = "a part was sent where the whole was asked for";
                        return Err(Failure::protocol(what, response.url()));
                    }
                    return Ok(None);
                };
                check(range.complete)?;
                Ok(Some(self.received - range.first))
            }
            200 => {
                check(response.content_length())?;
                Ok(Some(self.received))
            }
            other => {
                let what = format!("status {other} where content was expected");
                Err(Failure::protocol(what, response.url()))
            }
        }
    }

    async fn copy(&mut self, mut response: Response, mut skip: u64) -> Result<(), Stop> {
        let mut pace = Pace::default();
        while let Some(mut chunk) = self.chunk(&mut response, &mut pace).await? {
            let known = skip.min(chunk.len() as u64);
            skip -= known;
            chunk.advance(usize::try_from(known).unwrap_or(chunk.len()));
            if chunk.is_empty() {
                continue;
            }
            if chunk.len() as u64 > self.wanted.size - self.received {
                let (expected, actual) = (self.wanted.size, "more".to_owned());
                let kind = ErrorKind::LengthMismatch { expected, actual };
                return Err(Failure::at(kind, response.url()).into());
            }
            self.received += chunk.len() as u64;
            self.hand_over(Piece::Content(chunk)).await?;
        }
        if self.received == self.wanted.size {
            return Ok(());
        }
        // Without a length an early end looks like the end.
        let what = format!(
            "it ended after {} of {} bytes",
            self.received, self.wanted.size
        );
        Err(Failure::at(ErrorKind::Interrupted(what), response.url()).into())
    }

    async fn chunk(
        &self,
        response: &mut Response,
        pace: &mut Pace,
    ) -> Result<Option<Bytes>, Failure> {
        let timeouts = self.core.transport.timeouts();
        let asked = Instant::now();
        let answer = tokio::time::timeout(timeouts.idle, response.chunk()).await;
        let url = response.url();
        match answer {
            Ok(Ok(chunk)) => {
                let length = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
                if pace.is_too_slow(
                    asked.elapsed(),
                    length,
                    timeouts.slow_window,
                    timeouts.slow_bytes,
                ) {
                    let what = "receiving the next part of the content";
                    let after = timeouts.slow_window;
                    return Err(Failure::at(ErrorKind::Timeout { what, after }, url));
                }
                Ok(chunk)
            }
            Ok(Err(error)) => Err(Failure::at(classify(error, timeouts), url)),
            Err(_) => {
                let what = "waiting for content";
                Err(Failure::at(
                    ErrorKind::Timeout {
                        what,
                        after: timeouts.idle,
                    },
                    url,
                ))
            }
        }
    }

    async fn hand_over(&self, piece: Piece) -> Result<(), Stop> {
        self.pieces.send(piece).await.map_err(|_| Stop::Unread)
    }
}

/// Tells a trickle from a slow line. Only time spent waiting counts: a reader
/// that is busy compressing is not the server's fault.
#[derive(Debug, Default)]
struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    fn is_too_slow(&mut self, waited: Duration, bytes: u64, window: Duration, least: u64) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < window {
            return false;
        }
        let slow = self.bytes < least;
        *self = Self::default();
        slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_noticed_and_a_slow_line_is_not() {
        let (second, window) = (Duration::from_secs(1), Duration::from_secs(10));
        let slow = |bytes| {
            let mut pace = Pace::default();
            (0..100).any(|_| pace.is_too_slow(second, bytes, window, 1000))
        };
        assert!(slow(1) && slow(99));
        assert!(!slow(100) && !slow(5000));
    }
}
