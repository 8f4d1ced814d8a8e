//! When to try again, and after how long.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::error::{ErrorKind, Failure};

/// The time that back-off and token expiry go by. Tests bring their own.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now, monotonic.
    fn now(&self) -> Instant;

    /// Waits.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// A pause near `duration`, so that many clients do not come back at once.
    fn spread(&self, duration: Duration) -> Duration {
        duration
    }
}

/// Real time; pauses are spread over half their length.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn spread(&self, duration: Duration) -> Duration {
        let random = RandomState::new().build_hasher().finish();
        duration / 2 + (duration / 2).mul_f64(random as f64 / u64::MAX as f64)
    }
}

/// How often and how far apart to try.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Attempts at the registry itself; at least one is made.
    pub attempts: u32,
    /// Attempts at each mirror: another place is waiting, so fewer.
    pub mirror_attempts: u32,
    /// Pause after the first failure; doubles with every further one.
    pub first_pause: Duration,
    /// The pause grows no longer than this.
    pub longest_pause: Duration,
    /// A `Retry-After` beyond this is not waited for but reported.
    pub longest_retry_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 6,
            mirror_attempts: 2,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(15),
            longest_retry_after: Duration::from_secs(90),
        }
    }
}

/// Counts the attempts of one operation at one place.
#[derive(Debug)]
pub(crate) struct Backoff<'a> {
    policy: &'a RetryPolicy,
    clock: &'a dyn Clock,
    attempts: u32,
    failed: u32,
}

impl<'a> Backoff<'a> {
    pub(crate) fn new(policy: &'a RetryPolicy, clock: &'a dyn Clock, mirror: bool) -> Self {
        let attempts = if mirror {
            policy.mirror_attempts
        } else {
            policy.attempts
        };
        Self {
            policy,
            clock,
            attempts,
            failed: 0,
        }
    }

    /// Forgets past failures: there was progress.
    pub(crate) fn reset(&mut self) {
        self.failed = 0;
    }

    /// Pauses before the next attempt, or gives the failure back when there
    /// should be none.
    pub(crate) async fn pause(&mut self, failure: Failure) -> Result<(), Failure> {
        self.failed = self.failed.saturating_add(1);
        let asked = failure.retry_after.unwrap_or_default();
        if !failure.kind.is_transient()
            || self.failed >= self.attempts
            || asked > self.policy.longest_retry_after
        {
            return Err(failure);
        }
        let doublings = self.failed.saturating_sub(1).min(16);
        let grown = self.policy.first_pause.saturating_mul(1 << doublings);
        let pause = self
            .clock
            .spread(grown.min(self.policy.longest_pause))
            .max(asked);
        tracing::warn!(
            failed = self.failed,
            ?pause,
            cause = failure.text(),
            "registry request failed, trying again"
        );
        self.clock.sleep(pause).await;
        Ok(())
    }
}

/// The wait a `Retry-After` header asks for. A date is taken relative to the
/// answer's own `Date`, so that our clock does not matter.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| -> Option<SystemTime> { httpdate::parse_http_date(text.trim()).ok() };
    let now = date(headers.get(DATE)?.to_str().ok()?)?;
    Some(date(value)?.duration_since(now).unwrap_or_default())
}

/// What to tell someone who ran into a rate limit.
pub(crate) fn too_many(message: String, wait: Option<Duration>, docker_hub: bool) -> ErrorKind {
    let mut hint = match wait {
        Some(wait) => format!("wait {} s", wait.as_secs()),
        None => "wait a while".to_owned(),
    };
    hint.push_str(if docker_hub {
        ", log in to docker.io (anonymous pulls share a small limit per address) or set up a mirror"
    } else {
        " or set up a mirror"
    });
    ErrorKind::TooManyRequests { message, hint }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use reqwest::header::HeaderValue;

    use super::*;

    #[derive(Debug, Default)]
    struct Record(Mutex<Vec<Duration>>);

    impl Clock for Record {
        fn now(&self) -> Instant {
            Instant::now()
        }
        fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            self.0.lock().unwrap().push(duration);
            Box::pin(std::future::ready(()))
        }
    }

    fn failure(kind: ErrorKind, wait: Option<u64>) -> Failure {
        Failure {
            retry_after: wait.map(Duration::from_secs),
            ..Failure::new(kind)
        }
    }

    #[tokio::test]
    async fn pauses_double_up_to_a_limit() {
        let (clock, policy) = (
            Record::default(),
            RetryPolicy {
                attempts: 8,
                ..Default::default()
            },
        );
        let mut backoff = Backoff::new(&policy, &clock, false);
        let broken = || failure(ErrorKind::Interrupted("x".into()), None);
        while backoff.pause(broken()).await.is_ok() {}
        let millis: Vec<_> = clock
            .0
            .lock()
            .unwrap()
            .iter()
            .map(Duration::as_millis)
            .collect();
        assert_eq!(millis, [500, 1000, 2000, 4000, 8000, 15000, 15000]);
    }

    #[tokio::test]
    async fn retry_after_is_honoured_within_bounds() {
        let (clock, policy) = (Record::default(), RetryPolicy::default());
        let mut backoff = Backoff::new(&policy, &clock, false);
        let limited = |wait| failure(too_many("m".into(), None, false), Some(wait));
        assert!(backoff.pause(limited(7)).await.is_ok());
        assert!(backoff.pause(limited(3600)).await.is_err());
        assert_eq!(*clock.0.lock().unwrap(), [Duration::from_secs(7)]);
    }

    #[tokio::test]
    async fn what_stays_wrong_is_not_repeated() {
        let (clock, policy) = (Record::default(), RetryPolicy::default());
        for kind in [
            ErrorKind::NotFound("x".into()),
            ErrorKind::Unauthorized("x".into()),
            ErrorKind::Denied("x".into()),
        ] {
            let mut backoff = Backoff::new(&policy, &clock, false);
            assert!(backoff.pause(failure(kind, Some(1))).await.is_err());
        }
        assert!(clock.0.lock().unwrap().is_empty());
    }

    #[test]
    fn spread_stays_near() {
        let second = Duration::from_secs(1);
        for _ in 0..100 {
            let pause = SystemClock.spread(second);
            assert!(pause >= second / 2 && pause <= second, "{pause:?}");
        }
    }

    #[test]
    fn reads_seconds_and_dates() {
        let with = |retry: &'static str, date: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(retry));
            headers.insert(DATE, HeaderValue::from_static(date));
            retry_after(&headers)
        };
        let now = "Tue, 15 Nov 1994 08:12:31 GMT";
        assert_eq!(with("120", now), Some(Duration::from_secs(120)));
        assert_eq!(
            with("Tue, 15 Nov 1994 08:12:41 GMT", now),
            Some(Duration::from_secs(10))
        );
        assert_eq!(
            with("Tue, 15 Nov 1994 08:12:01 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(with("soon", now), None);
        assert_eq!(with("-5", now), None);
    }
}
