//! Parts that the integration tests share.

pub(crate) mod real;
pub(crate) mod server;

use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nodeimage_registry::{Client, Clock, Config, Credential, Digest, Login, Target, Timeouts};

/// Time that passes only when told to; pauses are recorded and take none.
#[derive(Debug)]
pub(crate) struct TestClock {
    start: Instant,
    passed: Mutex<Duration>,
    pub(crate) pauses: Mutex<Vec<Duration>>,
}

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        let (passed, pauses) = (Mutex::default(), Mutex::default());
        Arc::new(Self {
            start: Instant::now(),
            passed,
            pauses,
        })
    }

    pub(crate) fn pass(&self, duration: Duration) {
        *self.passed.lock().unwrap() += duration;
    }

    pub(crate) fn pauses(&self) -> Vec<u64> {
        let pauses = self.pauses.lock().unwrap();
        pauses
            .iter()
            .map(|pause| u64::try_from(pause.as_millis()).unwrap())
            .collect()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        self.start + *self.passed.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.pauses.lock().unwrap().push(duration);
        Box::pin(std::future::ready(()))
    }
}

/// No waiting between attempts; patience for a busy machine.
pub(crate) fn config(clock: &Arc<TestClock>) -> Config {
    let timeouts = Timeouts {
        connect: Duration::from_secs(10),
        response: Duration::from_secs(10),
        idle: Duration::from_secs(3),
        small_body: Duration::from_secs(10),
        slow_window: Duration::from_secs(2),
        slow_bytes: 64,
        helper: Duration::from_secs(10),
    };
    Config {
        timeouts,
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ..Config::default()
    }
}

pub(crate) fn client() -> Client {
    Client::new(config(&TestClock::new())).unwrap()
}

pub(crate) fn login(scope: &str, username: &str, password: &str) -> Login {
    let credential = Credential::Basic {
        username: username.into(),
        password: password.into(),
    };
    Login::new(scope, credential, "the provider block").unwrap()
}

pub(crate) fn target(registry: &str, reference: &str) -> Target {
    Target::new(registry, "team/app", reference).unwrap()
}

/// Bytes that differ everywhere, so that a shifted piece is noticed.
pub(crate) fn content(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    })
    .flatten()
    .take(length)
    .collect()
}

pub(crate) fn read_blob(client: &Client, registry: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
    read_all(client, registry, &Digest::of(bytes), bytes.len() as u64)
}

pub(crate) fn read_all(
    client: &Client,
    registry: &str,
    digest: &Digest,
    size: u64,
) -> Result<Vec<u8>, String> {
    let mut reader = client
        .blob(&target(registry, "1"), digest, size)
        .map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    reader
        .read_to_end(&mut out)
        .map_err(|error| error.to_string())?;
    Ok(out)
}
