//! Nothing secret in logs, at any level, from any library underneath.

use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::common::server::{Server, blob, reply};
use crate::common::{TestClock, config, login, read_blob};
use nodeimage_registry::Client;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[test]
fn logs_hold_no_secret() {
    let log = Log::default();
    // For all threads of this program: what other tests log must be clean too.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(log.clone())
        .init();
    let storage = Server::start(|request, stream| blob(request, stream, b"blob"));
    let location = format!(
        "Location: http://{}/b?X-Signature=s1gned",
        storage.other_name()
    );
    let server = Server::start(move |request, stream| {
        if request.path.starts_with("/token") {
            return reply(stream, 200, &[], br#"{"token":"t0ken-value"}"#);
        }
        if request.header("authorization") == Some("Bearer t0ken-value") {
            return reply(stream, 307, &[&location], b"");
        }
        let host = request.header("host").unwrap_or_default();
        let realm = format!("WWW-Authenticate: Bearer realm=\"http://{host}/token?key=r3alm\"");
        reply(stream, 401, &[&realm], b"");
    });
    let host = server.host();
    let mut config = config(&TestClock::new());
    config.credentials.push(login(&host, "me", "hunter22"));
    assert!(!format!("{config:?}").contains("hunter22"));
    let client = Client::new(config).unwrap();
    assert_eq!(read_blob(&client, &host, b"blob").unwrap(), b"blob");
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("registry answered"), "the log is not empty");
    // me:hunter22 in base64.
    for secret in [
        "hunter22",
        "bWU6aHVudGVyMjI",
        "t0ken-value",
        "s1gned",
        "r3alm",
    ] {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
