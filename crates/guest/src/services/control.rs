//! The socket that `nodeimage-init service` speaks to: one line `stop|start|restart NAME`, one
//! line back, `ok` or the reason why not. Root alone may open it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Order;
use crate::console::say;
use crate::error::{Doing, Error, Result};
use crate::machine::Machine;

/// Where it is.
const SOCKET: &str = "/run/nodeimage/control";

/// Longest line, bytes.
const LINE: u64 = 1024;

/// Listens in a thread of its own; failure is told.
pub(crate) fn listen(machine: &Arc<Machine>) {
    let machine = Arc::clone(machine);
    let result = open().and_then(|listener| {
        thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || serve(&machine, &listener))
    });
    if let Err(error) = result {
        say!("nodeimage: services cannot be controlled: {error}");
    }
}

/// Asks the init of this machine.
pub(crate) fn ask(order: &str, name: &str) -> Result<()> {
    let what = || format!("ask init at {SOCKET} (as root, where /run is the machine's)");
    let mut stream = UnixStream::connect(SOCKET).doing(what)?;
    writeln!(stream, "{order} {name}").doing(what)?;
    let answer = line(&stream).doing(what)?;
    match answer.as_str() {
        "ok" => Ok(()),
        reason => Err(Error::invalid(format!("service {order} {name}"), reason)),
    }
}

fn open() -> io::Result<UnixListener> {
    let _ = fs::remove_file(SOCKET);
    let listener = UnixListener::bind(SOCKET)?;
    fs::set_permissions(SOCKET, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn serve(machine: &Arc<Machine>, listener: &UnixListener) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else {
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        let machine = Arc::clone(machine);
        // A thread each: an order takes as long as a service takes to end.
        let _ = thread::Builder::new()
            .name("order".to_owned())
            .spawn(move || {
                let answer = obey(&machine, &stream);
                let _ = writeln!(stream, "{}", answer.err().as_deref().unwrap_or("ok"));
            });
    }
}

fn obey(machine: &Machine, stream: &UnixStream) -> std::result::Result<(), String> {
    let limit = Some(Duration::from_secs(10));
    stream
        .set_read_timeout(limit)
        .map_err(|error| error.to_string())?;
    let line = line(stream).map_err(|error| error.to_string())?;
    let (order, name) = parse(&line)?;
    machine.services.order(name, order)
}

fn parse(line: &str) -> std::result::Result<(Order, &str), String> {
    let (order, name) = line.split_once(' ').unwrap_or((line, ""));
    let order = match order {
        "stop" => Order::Stop,
        "start" => Order::Start,
        "restart" => Order::Restart,
        other => {
            return Err(format!(
                "unknown order {other:?}: use stop, start or restart"
            ));
        }
    };
    if name.is_empty() {
        return Err("name a service".to_owned());
    }
    Ok((order, name))
}

fn line(stream: &UnixStream) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(LINE)).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(parse("stop web"), Ok((Order::Stop, "web")));
        assert_eq!(parse("restart a b"), Ok((Order::Restart, "a b")));
        assert!(parse("stop").is_err() && parse("kill x").is_err() && parse("").is_err());
    }
}
