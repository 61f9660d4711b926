//! Memory that the kernel may write to while Rust holds no reference to it.

use std::ffi::c_void;
use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};

/// The size of a page.
pub const PAGE: usize = 4096;
/// An address no process has: the kernel's half begins below it. Cut to 32 bits it is nobody's, either.
pub const KERNEL: usize = 0xffff_8880_ffff_f000;

/// Zeroed pages of our own between two pages that nobody can touch.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is plain bytes that belong to the mapping alone, and is only copied in and out.
unsafe impl Send for Mapping {}

impl Mapping {
    /// At least `len` bytes, anywhere.
    pub fn new(len: usize) -> Self {
        Self::map(len, 0, 0).expect("mmap")
    }

    /// At least `len` bytes below 4 GiB, where 32-bit system calls can reach them.
    pub fn low(len: usize) -> Self {
        Self::map(len, 0, libc::MAP_32BIT).expect("mmap below 4 GiB")
    }

    /// At least `len` bytes whose first is at `address`, which must be free.
    pub fn at(address: usize, len: usize) -> Self {
        Self::map(len, address - PAGE, libc::MAP_FIXED_NOREPLACE).expect("mmap at an address")
    }

    fn map(len: usize, hint: usize, flags: i32) -> io::Result<Self> {
        let len = len.next_multiple_of(PAGE);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags;
        // SAFETY: new memory; no flag lets it take the place of any that is mapped.
        let whole = unsafe {
            libc::mmap(ptr::without_provenance_mut(hint), len + 2 * PAGE, libc::PROT_NONE, flags, -1, 0)
        };
        if whole == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(whole.cast::<u8>().wrapping_add(PAGE)).ok_or(io::ErrorKind::OutOfMemory)?;
        let mapping = Self { start, len };
        mapping.protect(0..len, libc::PROT_READ | libc::PROT_WRITE);
        Ok(mapping)
    }

    /// The address of the byte at `offset`; `len()` and a page beyond it are addresses that fault.
    pub fn address(&self, offset: usize) -> usize {
        self.start.as_ptr().addr() + offset
    }

    /// A pointer to the byte at `offset`, for the kernel or for unsafe code.
    pub fn pointer(&self, offset: usize) -> *mut u8 {
        self.start.as_ptr().wrapping_add(offset)
    }

    /// An address in the page before, which faults.
    pub fn hole(&self) -> usize {
        self.address(0) - PAGE / 2
    }

    /// How many bytes there are.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Sets what the pages of `range` allow: `libc::PROT_*`.
    pub fn protect(&self, range: Range<usize>, protection: i32) {
        // SAFETY: pages of this mapping, to which nobody holds a reference.
        let result = unsafe { libc::mprotect(self.first_page(&range), range.len(), protection) };
        assert_eq!(result, 0, "mprotect: {}", io::Error::last_os_error());
    }

    /// Gives the pages of `range` back; the next touch finds zeroes.
    pub fn discard(&self, range: Range<usize>) {
        // SAFETY: pages of this mapping, to which nobody holds a reference.
        let result = unsafe { libc::madvise(self.first_page(&range), range.len(), libc::MADV_DONTNEED) };
        assert_eq!(result, 0, "madvise: {}", io::Error::last_os_error());
    }

    /// Where the pages of `range` begin, which must be this mapping's.
    fn first_page(&self, range: &Range<usize>) -> *mut c_void {
        assert!(range.start <= range.end && range.end <= self.len && range.start.is_multiple_of(PAGE));
        self.pointer(range.start).cast()
    }

    /// Copies bytes in.
    #[track_caller]
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.len, "{offset} + {} of {}", bytes.len(), self.len);
        // SAFETY: within the mapping, and nobody holds a reference to it.
        unsafe { ptr::copy(bytes.as_ptr(), self.start.as_ptr().add(offset), bytes.len()) };
    }

    /// Copies bytes out.
    #[track_caller]
    pub fn read(&self, range: Range<usize>) -> Vec<u8> {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        let mut bytes = vec![0; range.len()];
        // SAFETY: within the mapping, and nobody holds a reference to it.
        unsafe { ptr::copy(self.start.as_ptr().add(range.start), bytes.as_mut_ptr(), range.len()) };
        bytes
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: these are our pages, and nobody holds a reference to them.
        unsafe { libc::munmap(self.start.as_ptr().wrapping_sub(PAGE).cast(), self.len + 2 * PAGE) };
    }
}
