//! Just enough HTTP/1.1 (RFC 9112) to push to a registry on the loopback interface.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

const PATIENCE: Duration = Duration::from_secs(60);

/// An answer: its status and the header that pushing needs.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: Option<String>,
}

/// One request on a connection of its own. `target` may be a whole URL.
pub(super) fn send(
    port: u16,
    method: &str,
    target: &str,
    media_type: &str,
    body: &[u8],
) -> Result<Answer> {
    let own = format!("http://127.0.0.1:{port}");
    let path = target.strip_prefix(&own).unwrap_or(target);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, content) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| anyhow!("no answer to {method} {path}"))?;
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("an answer without a status")?;
    if status >= 400 && !(method == "HEAD" && status == 404) {
        bail!("{method} {path}: {status} {content}");
    }
    let location = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location")
            .then(|| value.trim().to_owned())
    });
    Ok(Answer { status, location })
}
