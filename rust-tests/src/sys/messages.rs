//! An array of messages whose every byte is watched.

use std::ops::Range;

use crate::sys::abi::Abi;
use crate::sys::memory::{KERNEL, Mapping};
pub use crate::sys::shape::Shape;

/// What memory holds that nobody has written to.
pub const FILL: u8 = 0xa5;
/// Bytes that must stay as they are, behind each buffer.
const GUARD: usize = 32;
/// Room for `recvmmsg()`'s timeout, at the start.
const TIMEOUT: usize = 16;

/// A word of a `struct mmsghdr`, in the order they lie there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Field {
    Name,
    Namelen,
    Iov,
    Iovlen,
    Control,
    Controllen,
    Flags,
    Len,
}

impl Field {
    /// What `recvmmsg()` writes.
    pub const RESULTS: [Self; 4] = [Self::Namelen, Self::Controllen, Self::Flags, Self::Len];
    const POINTERS: [Self; 3] = [Self::Name, Self::Iov, Self::Control];

    fn is_int(self) -> bool {
        matches!(self, Self::Namelen | Self::Flags | Self::Len)
    }
}

/// Where a pointer of a header points to instead of to its own buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere.
    Null,
    /// A page of this process that nobody may touch.
    Hole,
    /// The kernel's half of the address space.
    Kernel,
    /// This header of the array itself.
    Header(usize),
    /// Where this message's first buffer is.
    Payload(usize),
    /// Where this message's control messages go.
    Control(usize),
    /// The list of this message's buffers.
    Iovec(usize),
}

/// Where a message's buffers are, as offsets in the mapping.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    iov: usize,
    pub(crate) segments: Vec<Range<usize>>,
    pub(crate) name: Range<usize>,
    pub(crate) control: Range<usize>,
}

/// A `struct mmsghdr[]` and all it points to, in memory of its own that ends where the array ends.
///
/// [`Messages::recv`] checks that the kernel wrote nothing but what it received.
#[derive(Debug)]
pub struct Messages {
    abi: Abi,
    shapes: Vec<Shape>,
    pub(crate) layouts: Vec<Layout>,
    memory: Mapping,
}

impl Messages {
    /// `n` messages of the same shape.
    pub fn new(n: usize, shape: &Shape) -> Self {
        Self::each(&vec![shape.clone(); n])
    }

    /// A message a shape.
    pub fn each(shapes: &[Shape]) -> Self {
        Self::with(Abi::Native, shapes, Mapping::new)
    }

    /// A message a shape, for calls by `abi`, in the memory that `map` makes.
    pub fn with(abi: Abi, shapes: &[Shape], map: impl FnOnce(usize) -> Mapping) -> Self {
        let mut end = TIMEOUT + GUARD;
        let layouts: Vec<_> = shapes.iter().map(|shape| Layout::new(shape, abi, &mut end)).collect();
        let memory = map(end + shapes.len() * 8 * abi.word());
        let messages = Self { abi, shapes: shapes.to_vec(), layouts, memory };
        messages.reset();
        messages
    }

    /// Makes everything as it was at first.
    pub fn reset(&self) {
        self.memory.write(0, &vec![FILL; self.memory.len()]);
        for i in 0..self.shapes.len() {
            self.reset_header(i);
        }
    }

    /// Makes one header and its iovecs as they were at first.
    pub fn reset_header(&self, i: usize) {
        let (shape, layout) = (&self.shapes[i], &self.layouts[i]);
        let address = |present: bool, offset| if present { self.memory.address(offset) } else { 0 };
        self.put(i, Field::Name, address(shape.name.is_some(), layout.name.start));
        self.put(i, Field::Namelen, layout.name.len());
        self.put(i, Field::Iov, self.memory.address(layout.iov));
        self.put(i, Field::Iovlen, layout.segments.len());
        self.put(i, Field::Control, address(shape.control.is_some(), layout.control.start));
        self.put(i, Field::Controllen, layout.control.len());
        for (segment, buffer) in layout.segments.iter().enumerate() {
            self.put_segment(i, segment, self.memory.address(buffer.start), buffer.len());
        }
    }

    /// How many messages there are.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.shapes.len()
    }

    /// How many messages there are, as system calls want it.
    pub fn vlen(&self) -> u32 {
        u32::try_from(self.len()).expect("more than any call takes")
    }

    /// The ABI they are made for.
    pub fn abi(&self) -> Abi {
        self.abi
    }

    /// The address of the header at `i`; that of `len()` can't be read.
    pub fn address(&self, i: usize) -> usize {
        self.memory.address(self.header(i))
    }

    /// The memory that holds them.
    pub fn memory(&self) -> &Mapping {
        &self.memory
    }

    /// The offset of the header at `i` in that memory.
    pub fn header(&self, i: usize) -> usize {
        self.memory.len() - (self.len() - i) * 8 * self.abi.word()
    }

    /// Every byte there is.
    pub fn image(&self) -> Vec<u8> {
        self.memory.read(0..self.memory.len())
    }

    /// A word of a header.
    pub fn get(&self, i: usize, field: Field) -> usize {
        let bytes = self.memory.read(self.field(i, field));
        bytes.iter().rev().fold(0, |value, &byte| value << 8 | usize::from(byte))
    }

    /// Changes a length or a number in a header.
    #[track_caller]
    pub fn set(&self, i: usize, field: Field, value: usize) {
        assert!(!Field::POINTERS.contains(&field), "point() sets {field:?}");
        self.put(i, field, value);
    }

    /// Points a header's name, iovecs or control buffer elsewhere.
    #[track_caller]
    pub fn point(&self, i: usize, field: Field, place: Place) {
        assert!(Field::POINTERS.contains(&field), "set() sets {field:?}");
        self.put(i, field, self.place(place));
    }

    /// Points one of a header's buffers elsewhere, `len` bytes long.
    pub fn point_segment(&self, i: usize, segment: usize, place: Place, len: usize) {
        self.put_segment(i, segment, self.place(place), len);
    }

    /// Says that one of a header's buffers is `len` bytes long; no datagram may reach beyond its true end.
    pub fn set_segment_len(&self, i: usize, segment: usize, len: usize) {
        self.put_segment(i, segment, self.memory.address(self.layouts[i].segments[segment].start), len);
    }

    /// Makes a header such that a kernel that reads it says EMSGSIZE.
    pub fn spoil(&self, i: usize) {
        let word = self.abi.word();
        self.memory.write(self.header(i), &vec![0xee; 8 * word]);
        self.put(i, Field::Namelen, 0);
        self.put(i, Field::Iovlen, 1025);
    }

    /// Spoils all headers.
    pub fn spoil_all(&self) {
        for i in 0..self.len() {
            self.spoil(i);
        }
    }

    /// What lies at an offset of the memory, for a failed test to say.
    pub fn describe(&self, at: usize) -> String {
        if at >= self.header(0) {
            let at = at - self.header(0);
            return format!("word {} of header {}", at / self.abi.word() % 8, at / self.abi.word() / 8);
        }
        let i = self.layouts.partition_point(|layout| layout.iov + GUARD <= at);
        format!("byte {at} of {i}'s buffers, {:?}", self.layouts.get(i))
    }

    /// The message's length, as received.
    pub fn received(&self, i: usize) -> usize {
        self.get(i, Field::Len)
    }

    /// The message's flags, as received.
    pub fn flags(&self, i: usize) -> i32 {
        i32::from_ne_bytes(self.memory.read(self.field(i, Field::Flags)).try_into().expect("four bytes"))
    }

    /// The message, as far as there was room for it.
    pub fn payload(&self, i: usize) -> Vec<u8> {
        let buffers: Vec<_> =
            self.layouts[i].segments.iter().map(|buffer| self.memory.read(buffer.clone())).collect();
        let mut payload = buffers.concat();
        payload.truncate(self.received(i));
        payload
    }

    /// The sender's address, as far as there was room for it.
    pub fn name(&self, i: usize) -> Vec<u8> {
        let name = &self.layouts[i].name;
        self.memory.read(name.start..name.start + self.get(i, Field::Namelen).min(name.len()))
    }

    /// The control messages, as they lie in the buffer.
    pub fn control(&self, i: usize) -> Vec<u8> {
        let control = &self.layouts[i].control;
        self.memory.read(control.start..control.start + self.get(i, Field::Controllen).min(control.len()))
    }

    /// Where there is room for a message's payload, in the memory that holds them.
    pub fn segments(&self, i: usize) -> &[Range<usize>] {
        &self.layouts[i].segments
    }

    /// Where there is room for its control messages.
    pub fn control_room(&self, i: usize) -> Range<usize> {
        self.layouts[i].control.clone()
    }

    /// Where the list of its buffers is.
    pub fn iovec(&self, i: usize) -> Range<usize> {
        let layout = &self.layouts[i];
        layout.iov..layout.iov + layout.segments.len() * 2 * self.abi.word()
    }

    /// Where a word of a header is, in the memory that holds them.
    pub fn field(&self, i: usize, field: Field) -> Range<usize> {
        let start = self.header(i) + field as usize * self.abi.word();
        start..start + if field.is_int() { 4 } else { self.abi.word() }
    }

    fn put(&self, i: usize, field: Field, value: usize) {
        let at = self.field(i, field);
        self.memory.write(at.start, &value.to_ne_bytes()[..at.len()]);
    }

    fn put_segment(&self, i: usize, segment: usize, base: usize, len: usize) {
        let word = self.abi.word();
        let at = self.layouts[i].iov + segment * 2 * word;
        self.memory.write(at, &base.to_ne_bytes()[..word]);
        self.memory.write(at + word, &len.to_ne_bytes()[..word]);
    }

    fn place(&self, place: Place) -> usize {
        match place {
            Place::Null => 0,
            Place::Hole => self.memory.hole(),
            Place::Kernel => KERNEL,
            Place::Header(i) => self.address(i),
            Place::Payload(i) => self.memory.address(self.layouts[i].segments[0].start),
            Place::Control(i) => self.memory.address(self.layouts[i].control.start),
            Place::Iovec(i) => self.memory.address(self.layouts[i].iov),
        }
    }
}

impl Layout {
    /// Lays a message's buffers out from `end` on, and moves it.
    fn new(shape: &Shape, abi: Abi, end: &mut usize) -> Self {
        let mut take = |len: usize| {
            let start = end.next_multiple_of(8) + shape.skew;
            *end = start + len + GUARD;
            start..start + len
        };
        Self {
            segments: shape.segments.iter().map(|&len| take(len)).collect(),
            name: shape.name.map(&mut take).unwrap_or_default(),
            control: shape.control.map(&mut take).unwrap_or_default(),
            iov: take(shape.segments.len() * 2 * abi.word()).start,
        }
    }
}
