//! QEMU's machine protocol (QMP) over a Unix socket: one command at a time.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

/// A busy machine answers late, but a hung one must not hang the test.
const PATIENCE: Duration = Duration::from_secs(60);
/// An answer is a line; none that we ask for is longer.
const LONGEST: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    pub(super) fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).context("cannot reach QEMU's monitor")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut monitor = Self {
            stream: BufReader::new(stream),
        };
        monitor.line()?;
        monitor.run("qmp_capabilities")?;
        Ok(monitor)
    }

    /// Runs a command without arguments.
    pub(super) fn run(&mut self, command: &str) -> Result<Value> {
        self.ask(&json!({"execute": command}))
    }

    /// Runs a command of the monitor for people, and returns its text.
    pub(super) fn human(&mut self, line: &str) -> Result<String> {
        let answer = self.ask(&json!({
            "execute": "human-monitor-command",
            "arguments": {"command-line": line},
        }))?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    fn ask(&mut self, command: &Value) -> Result<Value> {
        let text = format!("{command}\n");
        self.stream
            .get_mut()
            .write_all(text.as_bytes())
            .context("cannot write to QEMU's monitor")?;
        loop {
            if let Some(answer) = answer(&self.line()?) {
                return answer.with_context(|| format!("QEMU refuses {command}"));
            }
        }
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        let length = (&mut self.stream)
            .take(LONGEST)
            .read_line(&mut line)
            .context("no answer from QEMU's monitor")?;
        if length == 0 {
            bail!("QEMU's monitor has closed");
        }
        serde_json::from_str(&line).context("cannot read the answer of QEMU's monitor")
    }
}

/// The answer in a line, if it is one and not an event.
fn answer(line: &Value) -> Option<Result<Value>> {
    if let Some(value) = line.get("return") {
        return Some(Ok(value.clone()));
    }
    let error = line.get("error")?;
    let text = error
        .get("desc")
        .and_then(Value::as_str)
        .unwrap_or("no reason given");
    Some(Err(anyhow!("{text}")))
}

/// Guest port → loopback port, from the table that `info usernet` prints.
pub(super) fn forwarded(table: &str) -> BTreeMap<u16, u16> {
    table
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Protocol[state], descriptor, address, port, address, port, …
            match words[..] {
                ["TCP[HOST_FORWARD]", _, _, host, _, guest, ..] => {
                    Some((guest.parse().ok()?, host.parse().ok()?))
                }
                _ => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_ports_are_read_from_the_table() {
        let table = "Hub -1 (#net061):\r\n  Protocol[State]    FD  Source Address  Port   \
            Dest. Address  Port RecvQ SendQ\r\n  TCP[HOST_FORWARD]   8       127.0.0.1 35557       \
            10.0.2.15    80     0     0\r\n  TCP[ESTABLISHED]   9  127.0.0.1 1 10.0.2.15 22 0 0\r\n";
        assert_eq!(forwarded(table), BTreeMap::from([(80, 35557)]));
        assert_eq!(forwarded("TCP[HOST_FORWARD] 1 a x b y"), BTreeMap::new());
    }

    #[test]
    fn events_are_no_answers_and_errors_have_their_text() {
        assert!(answer(&json!({"event": "POWERDOWN"})).is_none());
        assert_eq!(answer(&json!({"return": "x"})).unwrap().unwrap(), "x");
        let refused = answer(&json!({"error": {"class": "E", "desc": "no such"}})).unwrap();
        assert_eq!(refused.unwrap_err().to_string(), "no such");
    }
}
