//! Netlink: sockets by which the kernel is asked for things that have no system call, and tells of others.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::net::{set_option, socket, socklen};
use crate::sys::{patience, zero};

/// Bytes of the header: length, kind, flags, and whose it is.
const HEADER: usize = 16;
/// Longer than any message that a test asks for.
const LONGEST: usize = 16 << 10;

/// A socket of one of netlink's protocols.
#[derive(Debug)]
pub struct Netlink(File);

impl Netlink {
    /// One that hears what its protocol tells the groups of these bits.
    ///
    /// # Errors
    /// Those of the system calls; `Unsupported` where the kernel has no such protocol.
    pub fn new(protocol: i32, groups: u32) -> io::Result<Self> {
        let socket: OwnedFd =
            socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol).ok_or(ErrorKind::Unsupported)?;
        let patience = libc::timeval { tv_sec: patience().as_secs().cast_signed(), tv_usec: 0 };
        set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, patience)?;
        // SAFETY: all zero is a valid sockaddr_nl: the kernel chooses the port.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK.try_into().expect("a small number");
        address.nl_groups = groups;
        // SAFETY: an address of that length, only read.
        let result = unsafe {
            let address = (&raw const address).cast();
            libc::bind(socket.as_raw_fd(), address, socklen::<libc::sockaddr_nl>())
        };
        zero(result.into()).map(|()| Self(socket.into()))
    }

    /// Asks for something, and waits until it is done.
    ///
    /// # Errors
    /// Those of the system calls, and what the kernel answers.
    pub fn ask(&mut self, kind: u16, flags: i32, body: &[u8]) -> io::Result<()> {
        self.0.write_all(&request(kind, flags, body))?;
        let (_, answer) = self.hear()?;
        match i32::from_ne_bytes(*answer.first_chunk().ok_or(ErrorKind::InvalidData)?) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(-error)),
        }
    }

    /// The next message's kind and body.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn hear(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let mut message = vec![0; LONGEST];
        let len = self.0.read(&mut message)?;
        let (header, body) = message[..len].split_at_checked(HEADER).ok_or(ErrorKind::InvalidData)?;
        Ok((u16::from_ne_bytes([header[4], header[5]]), body.to_vec()))
    }
}

/// A message that is to be answered.
fn request(kind: u16, flags: i32, body: &[u8]) -> Vec<u8> {
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags;
    let len = u32::try_from(HEADER + body.len()).expect("a short message");
    [
        &len.to_ne_bytes()[..],
        &kind.to_ne_bytes(),
        &u16::try_from(flags).expect("few flags").to_ne_bytes(),
        // Any number, from whoever this is.
        &[0; 8],
        body,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_tells_its_own_length() {
        let request = request(libc::RTM_NEWLINK, libc::NLM_F_CREATE, b"body");
        assert_eq!(request.len(), 20);
        assert_eq!(request[..4], 20_u32.to_ne_bytes());
        assert_eq!(&request[16..], b"body");
    }

    #[test]
    fn the_kernel_does_what_it_is_asked_or_says_why_not() {
        let mut netlink = Netlink::new(libc::NETLINK_ROUTE, 0).unwrap();
        // A link of no name, no number and no kind.
        let error = netlink.ask(libc::RTM_GETLINK, 0, &[0; 16]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        let error = Netlink::new(31, 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
