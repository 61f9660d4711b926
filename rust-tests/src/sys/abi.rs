//! The ways into the kernel: each has its own layout of headers and its own numbers.

use std::ffi::c_long;
use std::io;
use std::os::fd::RawFd;

use crate::sys::{SYS_REMEMBER_MMSGHDR, count, errno};

/// Marks a number as one of x32's.
const X32: c_long = 0x4000_0000;

/// How a call is made, and hence how wide the words of its structures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// x86-64's own.
    Native,
    /// 32-bit pointers by 64-bit instructions.
    X32,
    /// That of a 32-bit process, entered by `int 0x80`.
    Ia32,
    /// The same before 2038 was thought of: seconds have 32 bits, too.
    Ia32Time32,
}

impl Abi {
    /// Bytes in a pointer or a size.
    pub fn word(self) -> usize {
        if self == Self::Native { 8 } else { 4 }
    }

    /// Whether this kernel lets such callers in, as far as `recvmmsg()`.
    pub fn is_there(self) -> bool {
        let bad_descriptor = u32::MAX as usize;
        // SAFETY: there is nothing to receive from, and no message to receive into.
        let result = unsafe { self.syscall(self.recvmmsg(), [bad_descriptor, 0, 0, 0, 0]) };
        errno(result) != libc::ENOSYS
    }

    /// `recvmmsg()`.
    pub(crate) fn recvmmsg(self) -> c_long {
        match self {
            Self::Native => libc::SYS_recvmmsg,
            Self::X32 => X32 + 537,
            Self::Ia32 => 417,
            Self::Ia32Time32 => 337,
        }
    }

    /// Bytes in the seconds of `recvmmsg()`'s timeout, and in its nanoseconds.
    pub(crate) fn time_word(self) -> usize {
        if self == Self::Ia32Time32 { 4 } else { 8 }
    }

    /// `remember_mmsghdr()`, with any arguments at all: it only reads what it is given.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn remember(self, fd: RawFd, msgvec: usize, vlen: u32, flags: u32) -> io::Result<()> {
        let number = SYS_REMEMBER_MMSGHDR + if self == Self::X32 { X32 } else { 0 };
        let arguments = [fd.cast_unsigned() as usize, msgvec, vlen as usize, flags as usize, 0];
        // SAFETY: the kernel checks every argument and writes to no memory of ours.
        unsafe { self.syscall(number, arguments) }.map(drop)
    }

    /// Makes the call.
    ///
    /// # Safety
    /// What the kernel writes to for these arguments must be memory that it may write to.
    pub(crate) unsafe fn syscall(self, number: c_long, arguments: [usize; 5]) -> io::Result<usize> {
        let [first, second, third, fourth, fifth] = arguments;
        match self {
            Self::Native | Self::X32 => {
                // SAFETY: the caller's promise.
                let result = unsafe { libc::syscall(number, first, second, third, fourth, fifth) };
                count(result)
            }

            Self::Ia32 | Self::Ia32Time32 => {
                // SAFETY: the caller's promise.
                let result = unsafe { int80(number, arguments) };
                let error = || i32::try_from(-result).expect("an error number");
                usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(error()))
            }
        }
    }
}

/// # Safety
/// As for [`Abi::syscall`].
#[cfg(target_arch = "x86_64")]
unsafe fn int80(number: c_long, [first, second, third, fourth, fifth]: [usize; 5]) -> c_long {
    let result;
    // SAFETY: the caller's promise; LLVM keeps rbx for itself, so it is put back. r8 to r11 may come back zeroed.
    unsafe {
        std::arch::asm!(
            "xchg {first}, rbx", "int 0x80", "xchg {first}, rbx",
            first = inout(reg) first => _, inlateout("rax") number => result,
            in("rcx") second, in("rdx") third, in("rsi") fourth, in("rdi") fifth,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn int80(_: c_long, _: [usize; 5]) -> c_long {
    (-libc::ENOSYS).into()
}
