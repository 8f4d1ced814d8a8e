//! An HTTP/1.1 server by hand, able to do everything wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The first byte of an open range.
    pub(crate) fn range(&self) -> Option<usize> {
        let range = self.header("range")?;
        Some(
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .unwrap(),
        )
    }

    pub(crate) fn is_probe(&self) -> bool {
        self.path == "/v2/"
    }
}

type Handler = dyn Fn(&Request, &mut TcpStream) + Send + Sync;

/// Serves until dropped; one request per connection.
pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    accepting: Option<thread::JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(
        handler: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, stop) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicBool::new(false)),
        );
        let handler: Arc<Handler> = Arc::new(handler);
        let accepting = {
            let (requests, stop) = (Arc::clone(&requests), Arc::clone(&stop));
            thread::spawn(move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let Ok(stream) = stream else { continue };
                    let (requests, handler) = (Arc::clone(&requests), Arc::clone(&handler));
                    thread::spawn(move || serve(stream, &requests, &*handler));
                }
            })
        };
        Self {
            port,
            requests,
            stop,
            accepting: Some(accepting),
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The same under another name, which makes it another host.
    pub(crate) fn other_name(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// What was asked, without the question for the scheme.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| !request.is_probe())
            .cloned()
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, requests: &Mutex<Vec<Request>>, handler: &Handler) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).unwrap_or(0) == 0 {
        return;
    }
    let mut words = first.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
        if let Some((key, value)) = line.trim_end().split_once(':') {
            headers.push((key.to_ascii_lowercase(), value.trim().to_owned()));
        }
        line.clear();
    }
    let mut request = Request {
        method,
        path,
        headers,
        body: String::new(),
    };
    if let Some(length) = request.header("content-length") {
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        request.body = String::from_utf8(body).unwrap();
    }
    requests.lock().unwrap().push(request.clone());
    handler(&request, &mut stream);
    let _ = stream.shutdown(Shutdown::Write);
}

/// Status line and headers; `lines` are `Name: value`.
pub(crate) fn head(stream: &mut TcpStream, status: u16, lines: &[&str]) {
    let mut text = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    let _ = stream.write_all(text.as_bytes());
}

/// A whole answer.
pub(crate) fn reply(stream: &mut TcpStream, status: u16, lines: &[&str], body: &[u8]) {
    let length = format!("Content-Length: {}", body.len());
    let mut all = vec![length.as_str()];
    all.extend_from_slice(lines);
    head(stream, status, &all);
    let _ = stream.write_all(body);
}

/// What a registry says that is well: 200 to the probe, and the blob with ranges.
pub(crate) fn blob(request: &Request, stream: &mut TcpStream, bytes: &[u8]) {
    match request.range() {
        Some(first) => {
            let range = format!(
                "Content-Range: bytes {first}-{}/{}",
                bytes.len() - 1,
                bytes.len()
            );
            reply(stream, 206, &[&range], &bytes[first..]);
        }
        None => reply(stream, 200, &[], bytes),
    }
}
