//! A TCP proxy on the loopback interface that counts what passes, and can hang up.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

/// Between two looks at whether the proxy is still wanted.
const PAUSE: Duration = Duration::from_millis(10);

/// The proxy. Dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: u16,
    stop: AtomicBool,
    /// Bytes that still pass to clients before every connection is cut.
    left: AtomicU64,
    passed: AtomicU64,
    requests: Mutex<Vec<String>>,
}

impl Proxy {
    /// Passes connections on to `target`, a port of this machine.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            target,
            stop: AtomicBool::new(false),
            left: AtomicU64::new(u64::MAX),
            passed: AtomicU64::new(0),
            requests: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            while !own.stop.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((client, _)) => {
                        let shared = Arc::clone(&own);
                        std::thread::spawn(move || connection(&shared, client));
                    }
                    Err(_) => std::thread::sleep(PAUSE),
                }
            }
        });
        Ok(Self { port, shared })
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The request lines that have passed, without their HTTP version.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests().clone()
    }

    /// Forgets the requests.
    pub fn forget(&self) {
        self.shared.requests().clear();
    }

    /// Bytes that clients have got.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::Relaxed)
    }

    /// Lets this many more bytes through to clients, then cuts every connection at once.
    pub fn cut_after(&self, bytes: u64) {
        self.shared.left.store(bytes, Ordering::Relaxed);
    }

    /// Lets everything through again.
    pub fn heal(&self) {
        self.cut_after(u64::MAX);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn requests(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_cut(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// How many of `len` bytes may pass.
    fn take(&self, len: usize) -> usize {
        let mut passes = len;
        let update = |left: u64| match left {
            u64::MAX => Some(left),
            _ => {
                passes = usize::try_from(left).unwrap_or(len).min(len);
                Some(left - passes as u64)
            }
        };
        // The closure always has an answer.
        let _ = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        passes
    }
}

fn connection(shared: &Arc<Shared>, client: TcpStream) {
    // A socket that is gone closes the other one: there is nothing to report to.
    let _ = client.set_nonblocking(false);
    if shared.is_cut() {
        let _ = client.shutdown(Shutdown::Both);
        return;
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.target)) else {
        let _ = client.shutdown(Shutdown::Both);
        return;
    };
    let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let own = Arc::clone(shared);
    let up = std::thread::spawn(move || upward(&own, from_client, to_server));
    downward(shared, server, client);
    let _ = up.join();
}

/// Client to server, noting the request lines.
fn upward(shared: &Shared, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 << 10];
    let mut line = Vec::new();
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        for &byte in &buffer[..len] {
            if byte == b'\n' {
                if let Some(request) = request(&line) {
                    shared.requests().push(request);
                }
                line.clear();
            } else if line.len() < 4096 {
                line.push(byte);
            }
        }
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

fn request(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let (request, version) = line.rsplit_once(' ')?;
    version.starts_with("HTTP/1.").then(|| request.to_owned())
}

/// Server to client, as far as it may.
fn downward(shared: &Shared, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 << 10];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let passes = shared.take(len);
        if to.write_all(&buffer[..passes]).is_err() {
            break;
        }
        shared.passed.fetch_add(passes as u64, Ordering::Relaxed);
        if passes < len || shared.is_cut() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_noted_and_a_cut_is_exact() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 1024];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(&[b'x'; 100]);
            }
        });
        let proxy = Proxy::start(target).unwrap();
        let ask = || {
            let port: u16 = proxy.host().rsplit(':').next().unwrap().parse().unwrap();
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            stream.write_all(b"GET /v2/ HTTP/1.1\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            answer.len()
        };
        assert_eq!(ask(), 100);
        assert_eq!(proxy.requests(), ["GET /v2/"]);
        proxy.cut_after(30);
        assert_eq!(ask(), 30);
        assert_eq!(ask(), 0);
        proxy.heal();
        assert_eq!(ask(), 100);
        assert_eq!(proxy.passed(), 230);
    }
}
