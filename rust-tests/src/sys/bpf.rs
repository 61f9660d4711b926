//! BPF programs by hand, and where they are attached.

use std::ffi::{CStr, c_long};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::sys::count;

const MAP_CREATE: c_long = 0;
const MAP_UPDATE: c_long = 2;
const PROG_LOAD: c_long = 5;
const PROG_ATTACH: c_long = 8;
const LINK_CREATE: c_long = 28;
const SOCKMAP: u32 = 15;
const XSKMAP: u32 = 17;
/// In the driver, and not for whatever it has handed over.
const XDP_DRIVER: u32 = 1 << 2;

/// What a program is, and where it may be attached: `BPF_PROG_TYPE_*` and `BPF_*`.
#[derive(Clone, Copy, Debug)]
pub struct Hook(u32, u32);

impl Hook {
    /// Sees each packet that comes to a socket of a cgroup, and lets it through with 1.
    pub const INGRESS: Self = Self(8, 0);
    /// Sees the IPv4 address that a datagram is said to come from, and may change it.
    pub const RECVMSG4: Self = Self(18, 19);
    /// The same for IPv6.
    pub const RECVMSG6: Self = Self(18, 20);
    /// Sees each packet that comes to a socket in a map, and passes it on with 1.
    pub const VERDICT: Self = Self(14, 38);
    /// Sees each packet that comes to a network card, before anyone else does.
    pub const XDP: Self = Self(6, 37);

    /// Whether this kernel has it.
    ///
    /// # Panics
    /// If the kernel refuses a program that does nothing for any other reason.
    #[must_use]
    pub fn is_known(self) -> bool {
        match Program::load(self, &[Insn::result(1), Insn::exit()]) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => false,
            program => {
                program.expect("a program that does nothing");
                true
            }
        }
    }
}

/// An instruction, as the kernel reads it.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Insn([u8; 8]);

impl Insn {
    /// `r0 = value`.
    pub const fn result(value: i32) -> Self {
        Self::new(0xb7, 0, 0, value)
    }

    /// `r0 = *(u32 *)(r1 + offset)`.
    pub const fn load(offset: u8) -> Self {
        Self::new(0x61, 0x10, offset, 0)
    }

    /// `*(u32 *)(r1 + offset) = value`, by way of `r2`.
    pub const fn store(offset: u8, value: i32) -> [Self; 2] {
        [Self::new(0xb7, 2, 0, value), Self::new(0x63, 0x21, offset, 0)]
    }

    /// `r0 &= value`.
    pub const fn and(value: i32) -> Self {
        Self::new(0x57, 0, 0, value)
    }

    /// Back to the kernel, with `r0`.
    pub const fn exit() -> Self {
        Self::new(0x95, 0, 0, 0)
    }

    /// Any: `registers` are the source's number and, in the lower half, the target's.
    pub(super) const fn new(code: u8, registers: u8, offset: u8, value: i32) -> Self {
        let [a, b, c, d] = value.to_ne_bytes();
        Self([code, registers, offset, 0, a, b, c, d])
    }
}

/// A program that the kernel has accepted.
#[derive(Debug)]
pub struct Program(OwnedFd, Hook);

impl Program {
    /// Loads it.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn load(hook: Hook, instructions: &[Insn]) -> io::Result<Self> {
        const LICENSE: &CStr = c"GPL";
        let mut attributes = [0_u64; 9];
        attributes[0] = pair(hook.0, u32::try_from(instructions.len()).expect("a short program"));
        attributes[1] = instructions.as_ptr().expose_provenance() as u64;
        attributes[2] = LICENSE.as_ptr().expose_provenance() as u64;
        attributes[8] = pair(0, hook.1);
        // SAFETY: the program and its license are only read, and live.
        unsafe { bpf(PROG_LOAD, &attributes) }.map(|fd| Self(fd.expect("a descriptor"), hook))
    }

    /// Attaches it to a cgroup or a map, for as long as that lives.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn attach(&self, to: &impl AsRawFd) -> io::Result<()> {
        let attributes = [pair(number(to.as_raw_fd()), number(self.0.as_raw_fd())), u64::from(self.1.1)];
        // SAFETY: only numbers go in.
        unsafe { bpf(PROG_ATTACH, &attributes) }.map(drop)
    }

    /// Attaches it to the network card of that number, for as long as what is returned lives.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn attach_to_card(&self, index: u32) -> io::Result<OwnedFd> {
        let attributes = [pair(number(self.0.as_raw_fd()), index), pair(self.1.1, XDP_DRIVER)];
        // SAFETY: only numbers go in.
        unsafe { bpf(LINK_CREATE, &attributes) }.map(|fd| fd.expect("a descriptor"))
    }
}

/// A map of one socket.
#[derive(Debug)]
pub struct SockMap(OwnedFd);

impl SockMap {
    /// An empty one.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn new() -> io::Result<Self> {
        Self::create(SOCKMAP)
    }

    /// An empty one for a socket of `AF_XDP`.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn xdp() -> io::Result<Self> {
        Self::create(XSKMAP)
    }

    fn create(kind: u32) -> io::Result<Self> {
        // SAFETY: only numbers go in.
        unsafe { bpf(MAP_CREATE, &[pair(kind, 4), pair(4, 1), 0]) }.map(|fd| Self(fd.expect("a descriptor")))
    }

    /// Puts a socket in.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn insert(&self, socket: &impl AsRawFd) -> io::Result<()> {
        let (key, value) = (0_u32, socket.as_raw_fd());
        let pointers =
            [(&raw const key).expose_provenance() as u64, (&raw const value).expose_provenance() as u64];
        let attributes = [pair(number(self.0.as_raw_fd()), 0), pointers[0], pointers[1], 0];
        // SAFETY: key and value are of the map's sizes, are only read, and live.
        unsafe { bpf(MAP_UPDATE, &attributes) }.map(drop)
    }
}

impl AsRawFd for SockMap {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn number(fd: RawFd) -> u32 {
    fd.cast_unsigned()
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// # Safety
/// Pointers among the attributes must be to what the command takes there.
unsafe fn bpf(command: c_long, attributes: &[u64]) -> io::Result<Option<OwnedFd>> {
    // SAFETY: attributes of that length, only read.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), std::mem::size_of_val(attributes))
    };
    let returns_fd = [MAP_CREATE, PROG_LOAD, LINK_CREATE].contains(&command);
    count(result).map(|fd| {
        let fd = i32::try_from(fd).expect("a descriptor");
        // SAFETY: the kernel has just made it for us.
        returns_fd.then(|| unsafe { OwnedFd::from_raw_fd(fd) })
    })
}

/// Skips this test on a kernel whose cgroups run no programs.
#[macro_export]
macro_rules! needs_cgroup_programs {
    () => {
        if !$crate::sys::bpf::Hook::INGRESS.is_known() {
            $crate::skip!("this kernel's cgroups run no programs");
        }
    };
}
