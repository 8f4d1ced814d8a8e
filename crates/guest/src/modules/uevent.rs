//! Devices that come later: the kernel tells of each on a netlink socket.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with, sockopt,
};

use super::coldplug;
use crate::console::say;
use crate::error::{Doing, Result};
use crate::machine::Machine;
use crate::power;

/// Bytes of messages the kernel may keep for us.
const BUFFER: usize = 8 << 20;

/// What we need of a message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event<'a> {
    action: &'a str,
    alias: Option<&'a str>,
    device: Option<&'a str>,
}

/// Starts listening; to be called before [`coldplug`] so that no device is missed.
pub(crate) fn listen(machine: &Arc<Machine>) -> Result<()> {
    let socket = open().doing(|| "listen for new devices".to_owned())?;
    let machine = Arc::clone(machine);
    thread::Builder::new()
        .name("devices".to_owned())
        .spawn(move || serve(&machine, &socket))
        .doing(|| "listen for new devices".to_owned())?;
    Ok(())
}

fn open() -> io::Result<OwnedFd> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(KOBJECT_UEVENT),
    )?;
    // Only a larger buffer; the default one works until many devices come at once.
    let _ = sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER);
    bind(&socket, &SocketAddrNetlink::new(0, 1))?;
    Ok(socket)
}

fn serve(machine: &Arc<Machine>, socket: &OwnedFd) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        match recvfrom(socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((_, length, sender)) => {
                let from_kernel = sender
                    .and_then(|sender| SocketAddrNetlink::try_from(sender).ok())
                    .is_some_and(|sender| sender.pid() == 0);
                let message = buffer.get(..length).unwrap_or_default();
                if from_kernel {
                    handle(machine, &parse(message));
                }
            }
            Err(Errno::INTR) => {}
            // The kernel dropped messages: look at everything again.
            Err(Errno::NOBUFS) => {
                coldplug(&machine.modules);
                power::watch_buttons();
            }
            Err(error) => {
                say!("nodeimage: cannot hear of new devices any more: {error}");
                return;
            }
        }
    }
}

fn handle(machine: &Arc<Machine>, event: &Event<'_>) {
    if event.action != "add" {
        return;
    }
    if let Some(alias) = event.alias {
        machine.modules.load_device(alias);
    }
    if event
        .device
        .is_some_and(|device| device.starts_with("input/event"))
    {
        power::watch_buttons();
    }
}

/// Reads `ACTION@PATH` and the NUL-separated variables behind it.
fn parse(message: &[u8]) -> Event<'_> {
    let mut event = Event::default();
    for part in message.split(|byte| *byte == 0) {
        let Ok(text) = std::str::from_utf8(part) else {
            continue;
        };
        match text.split_once('=') {
            Some(("ACTION", value)) => event.action = value,
            Some(("MODALIAS", value)) => event.alias = Some(value),
            Some(("DEVNAME", value)) => event.device = Some(value),
            _ => {}
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_message() {
        let message = b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0\
                        MODALIAS=virtio:d1v2\0DEVNAME=input/event0\0SEQNUM=1\0\xff=\0";
        assert_eq!(
            parse(message),
            Event {
                action: "add",
                alias: Some("virtio:d1v2"),
                device: Some("input/event0"),
            }
        );
        assert_eq!(parse(b""), Event::default());
    }
}
