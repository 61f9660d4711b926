//! An array of messages for the kernel to fill: each with a buffer, and where asked for, room for a name and for
//! control messages.

use std::ptr;

use crate::sys::memory::{Mapping, PAGE};
use anyhow::{Context, Result, ensure};

/// Room for any address that UDP has.
pub const NAME: usize = size_of::<libc::sockaddr_in6>();

/// What one message brought.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// All bytes that it is said to hold.
    pub payload: &'a [u8],
    /// The sender's address as the kernel wrote it, where there was room for one.
    pub name: Option<&'a [u8]>,
    /// Of a train of datagrams: the bytes in each but the last.
    pub train: Option<usize>,
}

/// The array and all that it points to.
pub struct Array {
    headers: Vec<libc::mmsghdr>,
    /// Pointed to by the headers; never touched but by raw pointers.
    iovecs: Vec<libc::iovec>,
    buffers: Buffers,
    names: Option<Buffers>,
    controls: Option<Buffers>,
}

impl Array {
    /// `count` messages of `len` bytes, side by side.
    pub fn new(count: usize, len: usize, name: bool, control: Option<usize>) -> Result<Self> {
        let buffers = Buffers::new(count, len);
        let names = name.then(|| Buffers::new(count, NAME));
        let controls = control.map(|len| Buffers::new(count, len));
        let mut iovecs: Vec<_> =
            (0..count).map(|i| libc::iovec { iov_base: buffers.at(i).cast(), iov_len: len }).collect();
        let first = iovecs.as_mut_ptr();
        let header = |i| {
            // SAFETY: all zero is a valid mmsghdr, a struct of integers and pointers.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iov = first.wrapping_add(i);
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = names.as_ref().map_or(ptr::null_mut(), |names| names.at(i).cast());
            header.msg_hdr.msg_control =
                controls.as_ref().map_or(ptr::null_mut(), |controls| controls.at(i).cast());
            header
        };
        let headers = (0..count).map(header).collect();
        let mut array = Self { headers, iovecs, buffers, names, controls };
        array.reset(count)?;
        Ok(array)
    }

    /// Gives the messages' buffers another order, in which no stride is left.
    pub fn shuffle(&mut self) {
        let count = self.iovecs.len();
        for (i, iovec) in self.iovecs.iter_mut().enumerate() {
            // 7919 is a prime that divides no count of a plan, so each buffer has its message.
            iovec.iov_base = self.buffers.at(i * 7919 % count).cast();
        }
    }

    /// How many messages there are.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.headers.len()
    }

    /// The array's address, for the kernel.
    pub fn headers(&mut self) -> *mut libc::mmsghdr {
        self.headers.as_mut_ptr()
    }

    /// What message `i` brought, as far as the array tells, which was not shuffled.
    pub fn message(&self, i: usize) -> Result<Message<'_>> {
        let header = &self.headers[i];
        let name = self.names.as_ref().map(|names| names.bytes(i, header.msg_hdr.msg_namelen as usize));
        Ok(Message {
            payload: self.buffers.bytes(i, header.msg_len as usize)?,
            name: name.transpose()?,
            train: None,
        })
    }

    /// The control messages that came with message `i`.
    pub fn control(&self, i: usize) -> Result<&[u8]> {
        let len = self.headers[i].msg_hdr.msg_controllen;
        self.controls.as_ref().map_or(Ok(&[]), |controls| controls.bytes(i, len))
    }

    /// Gives the first `count` messages back the capacities that a call has replaced by lengths.
    pub fn reset(&mut self, count: usize) -> Result<()> {
        let name = self.names.as_ref().map_or(0, |names| names.len);
        let control = self.controls.as_ref().map_or(0, |controls| controls.len);
        for header in &mut self.headers[..count] {
            header.msg_hdr.msg_namelen = name.try_into().context("a name's length")?;
            header.msg_hdr.msg_controllen = control;
        }
        Ok(())
    }
}

/// Buffers of one length, side by side. Only the kernel writes to them, and only during a call that is given their
/// array by `&mut`.
pub struct Buffers {
    memory: Mapping,
    len: usize,
}

impl Buffers {
    /// `count` buffers of `len` bytes.
    pub fn new(count: usize, len: usize) -> Self {
        let memory = Mapping::new(count * len);
        // Each page is there before the first call: none of its time is the kernel's, making pages.
        (0..memory.len()).step_by(PAGE).for_each(|page| memory.write(page, &[0]));
        Self { memory, len }
    }

    /// Where buffer `i` is.
    pub fn at(&self, i: usize) -> *mut u8 {
        self.memory.pointer(i * self.len)
    }

    /// How long each is.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The first `len` bytes of buffer `i`, as many as the kernel told.
    pub fn bytes(&self, i: usize, len: usize) -> Result<&[u8]> {
        ensure!(len <= self.len, "a length of {len} came back for a buffer of {}", self.len);
        // SAFETY: within the mapping, and nobody writes to it while the caller holds its owner by `&`.
        Ok(unsafe { std::slice::from_raw_parts(self.at(i), len) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn capacities_come_back_and_results_are_read() {
        let mut array = Array::new(2, 64, true, Some(24)).unwrap();
        for header in &mut array.headers {
            assert_eq!((header.msg_hdr.msg_namelen, header.msg_hdr.msg_controllen), (28, 24));
            header.msg_len = 20;
            (header.msg_hdr.msg_namelen, header.msg_hdr.msg_controllen) = (16, 0);
        }
        let message = array.message(1).unwrap();
        assert_eq!((message.payload.len(), message.name.map(<[u8]>::len)), (20, Some(16)));
        assert!(array.control(1).unwrap().is_empty());
        array.reset(2).unwrap();
        assert_eq!((array.headers[1].msg_hdr.msg_namelen, array.control(1).unwrap().len()), (28, 24));
    }

    #[test]
    fn a_length_beyond_the_buffer_is_refused() {
        let mut array = Array::new(1, 64, true, None).unwrap();
        array.headers[0].msg_len = 65;
        assert!(array.message(0).unwrap_err().to_string().contains("65"));
        array.headers[0].msg_len = 64;
        array.headers[0].msg_hdr.msg_namelen = 29;
        assert!(array.message(0).is_err());
    }

    #[test]
    fn a_shuffled_array_uses_every_buffer_once_and_has_no_stride() {
        let mut array = Array::new(1000, 64, false, None).unwrap();
        array.shuffle();
        let bases: Vec<_> = array.iovecs.iter().map(|iovec| iovec.iov_base.addr()).collect();
        assert_eq!(bases.iter().collect::<HashSet<_>>().len(), 1000);
        let steps: HashSet<_> = bases.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
        assert!(steps.len() > 1);
    }
}
