//! A minimal rtnetlink: one request, one acknowledgement (rtnetlink(7), netlink(7)).

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

/// Header of every message, bytes.
const HEADER: usize = 16;

const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;

/// Bits of an attribute's type that are not its number.
const NLA_F_NESTED: u16 = 0x8000;

/// A request being built.
pub(super) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// A message of `kind` (RTM_…) with `flags` and its fixed part.
    pub(super) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(256);
        // The length follows in `send`.
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((flags | NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        bytes.extend(1_u32.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(fixed);
        let mut request = Self { bytes };
        request.pad();
        request
    }

    /// Adds an attribute.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let start = self.begin(kind);
        self.bytes.extend(value);
        self.end(start);
        self
    }

    /// Adds an attribute of text, with its NUL.
    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes)
    }

    /// Adds an attribute that holds what `fill` adds.
    pub(super) fn nested(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.begin(kind | NLA_F_NESTED);
        let mut filled = fill(self);
        filled.end(start);
        filled
    }

    /// Adds raw bytes, for a structure inside a nested attribute.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self.pad();
        self
    }

    /// Sends it and waits for the kernel's verdict.
    pub(super) fn send(mut self) -> io::Result<()> {
        let length = u32::try_from(self.bytes.len()).map_err(io::Error::other)?;
        if let Some(place) = self.bytes.get_mut(..4) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
        let socket = open()?;
        send(&socket, &self.bytes, SendFlags::empty())?;
        let mut answer = [0; 4096];
        loop {
            let (_, length) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
            let message = answer.get(..length).unwrap_or_default();
            if let Some(verdict) = verdict(message) {
                return verdict;
            }
        }
    }

    fn begin(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend(0_u16.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        start
    }

    /// Writes the length of the attribute that began at `start`. Callers' values are far below
    /// 64 KiB: names, paths and numbers.
    fn end(&mut self, start: usize) {
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        if let Some(place) = self.bytes.get_mut(start..start + 2) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn open() -> io::Result<OwnedFd> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    Ok(socket)
}

/// What an acknowledgement says; `None` for any other message.
fn verdict(message: &[u8]) -> Option<io::Result<()>> {
    let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
    if kind != NLMSG_ERROR {
        return None;
    }
    let code = i32::from_ne_bytes(message.get(HEADER..HEADER + 4)?.try_into().ok()?);
    Some(match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code.saturating_neg())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_nested_ones_count_their_content() {
        let request = Request::new(16, 0, &[1, 2, 3, 4])
            .text(3, "eth0")
            .nested(18, |inner| inner.text(1, "veth"));
        let attributes = &request.bytes[HEADER + 4..];
        let expected: Vec<u8> = [
            &9_u16.to_ne_bytes()[..],
            &3_u16.to_ne_bytes(),
            b"eth0\0\0\0\0",
            &16_u16.to_ne_bytes(),
            &(18 | NLA_F_NESTED).to_ne_bytes(),
            &9_u16.to_ne_bytes(),
            &1_u16.to_ne_bytes(),
            b"veth\0\0\0\0",
        ]
        .concat();
        assert_eq!(attributes, expected);
    }

    #[test]
    fn verdicts() {
        let mut message = vec![0; HEADER];
        message[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        message.extend((-17_i32).to_ne_bytes());
        let error = verdict(&message).unwrap().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(17));
        message[HEADER..].fill(0);
        assert!(verdict(&message).unwrap().is_ok());
        assert!(verdict(&message[..10]).is_none());
    }

    #[test]
    fn the_kernel_answers() {
        // A device that does not exist: no privilege is needed to be told so, or to be refused.
        let request = Request::new(19, 0, &[0; 16]).text(3, "nodeimage-no");
        assert!(request.send().is_err());
    }
}
