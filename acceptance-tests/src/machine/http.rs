//! Just enough HTTP/1.0 (RFC 1945) to fetch a page from a guest.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST: u64 = 8 << 20;

/// A web server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code, like 200.
    pub status: u16,
    /// The page, bytes that are no UTF-8 replaced.
    pub body: String,
}

/// One try, on the loopback interface.
pub(super) fn get(port: u16, path: &str) -> Result<Response> {
    if !path.starts_with('/') || path.contains(|c: char| c.is_control() || c == ' ') {
        bail!("{path:?} is no path of a URL");
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).context("cannot connect")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .context("cannot send the request")?;
    let mut bytes = Vec::new();
    stream
        .take(LONGEST)
        .read_to_end(&mut bytes)
        .context("cannot read the answer")?;
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(text: &str) -> Result<Response> {
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| anyhow!("the answer is no HTTP, or was cut off"))?;
    let status = head
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split_whitespace().nth(1))
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| anyhow!("the answer has no status"))?;
    Ok(Response {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn answers_are_parsed_and_junk_is_refused() {
        let page = parse("HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\nno\r\n\r\nsuch").unwrap();
        assert_eq!((page.status, page.body.as_str()), (404, "no\r\n\r\nsuch"));
        for junk in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 many\r\n\r\n",
        ] {
            assert!(parse(junk).is_err(), "{junk}");
        }
        assert!(get(1, "/a b").is_err());
    }

    #[test]
    fn a_page_is_fetched_over_a_real_socket() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello").unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        assert_eq!(
            get(port, "/x").unwrap(),
            Response {
                status: 200,
                body: "hello".to_owned()
            }
        );
        assert!(server.join().unwrap().starts_with("GET /x HTTP/1.0\r\n"));
    }
}
