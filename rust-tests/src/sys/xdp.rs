//! A program that hands a network card's datagrams for one port to a socket of `AF_XDP`.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::bpf::{Hook, Insn, Program, SockMap};

/// What comes before a datagram's payload: Ethernet, IPv4 without options, UDP.
pub const HEADERS: u8 = 14 + 20 + 8;

/// To the kernel's own stack.
const PASS: i32 = 2;
/// `bpf_redirect_map()`.
const REDIRECT_MAP: i32 = 51;

// Instructions that are not a BPF program's for sockets, too.
const LOAD_BYTE: u8 = 0x71;
const LOAD_HALF: u8 = 0x69;
const LOAD_WORD: u8 = 0x61;
const LOAD_MAP: u8 = 0x18;
const MOVE: u8 = 0xbf;
const SET: u8 = 0xb7;
const ADD: u8 = 0x07;
const JUMP_IF_ABOVE: u8 = 0x2d;
const JUMP_UNLESS: u8 = 0x55;
const CALL: u8 = 0x85;

/// Sends IPv4's datagrams to that port, which come by the first queue of card number `index`, to the socket, and all else
/// on its way. For as long as what is returned lives.
///
/// # Errors
/// Those of the system calls.
pub fn redirect(socket: &impl AsRawFd, index: u32, port: u16) -> io::Result<OwnedFd> {
    let map = SockMap::xdp()?;
    map.insert(socket)?;
    // The program holds the map, and the link the program.
    Program::load(Hook::XDP, &filter(map.as_raw_fd(), port))?.attach_to_card(index)
}

/// Lets all pass that comes by card number `index`, for as long as what is returned lives. Packets are in pages of the
/// card's own then, to which they go back.
///
/// # Errors
/// Those of the system calls.
pub fn pass(index: u32) -> io::Result<OwnedFd> {
    Program::load(Hook::XDP, &[Insn::result(PASS), Insn::exit()])?.attach_to_card(index)
}

fn filter(map: i32, port: u16) -> Vec<Insn> {
    let wanted = [
        (LOAD_HALF, 12, 0x0800_u16.to_be()), // IPv4,
        (LOAD_BYTE, 14, 0x45),               // without options,
        (LOAD_HALF, 20, 0x4000_u16.to_be()), // whole and never in fragments,
        (LOAD_BYTE, 23, 17),                 // UDP,
        (LOAD_HALF, 36, port.to_be()),       // to that port.
    ];
    let redirect = [
        Insn::new(LOAD_WORD, 0x12, 16, 0),   // r2 = the queue's number
        Insn::new(LOAD_MAP, 0x11, 0, map),   // r1 = map,
        Insn::new(0, 0, 0, 0),               // of 64 bits
        Insn::new(SET, 0x03, 0, PASS),       // r3 = what if nobody is there
        Insn::new(CALL, 0, 0, REDIRECT_MAP), // r0 = bpf_redirect_map(r1, r2, r3)
        Insn::exit(),
    ];
    // How far it is from a check to where packets are passed on, with so many checks between.
    let to_pass = |checks: usize| u8::try_from(2 * checks + redirect.len()).expect("a short program");
    let mut program = vec![
        Insn::new(LOAD_WORD, 0x12, 0, 0),        // r2 = where the packet begins
        Insn::new(LOAD_WORD, 0x13, 4, 0),        // r3 = where it ends
        Insn::new(MOVE, 0x24, 0, 0),             // r4 = r2
        Insn::new(ADD, 0x04, 0, HEADERS.into()), // r4 += the headers
        Insn::new(JUMP_IF_ABOVE, 0x34, to_pass(wanted.len()), 0), // it is shorter
    ];
    for (index, (load, offset, value)) in wanted.into_iter().enumerate() {
        program.push(Insn::new(load, 0x24, offset, 0)); // r4 = r2[offset]
        program.push(Insn::new(JUMP_UNLESS, 0x04, to_pass(wanted.len() - 1 - index), value.into()));
    }
    program.extend(redirect);
    program.extend([Insn::result(PASS), Insn::exit()]);
    program
}
