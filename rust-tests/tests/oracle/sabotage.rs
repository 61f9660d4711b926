//! Pointers that are no good, or lead where another leads, in one of the messages.

use std::ops::Range;

use rust_tests::sys::abi::Abi;
use rust_tests::sys::memory::PAGE;
use rust_tests::sys::messages::{Field, Messages, Place};

use crate::random::Random;
use crate::twins::Kind;

const TWO_PAGES: usize = 2 * PAGE;
/// How much goes where a buffer is not: the length of a header.
const ELSEWHERE: usize = 64;
/// That of an IPv6 sender.
const LONGEST_NAME: usize = 28;

/// What is wrong, and in which message: the first, the last, or one between.
#[derive(Clone, Copy, Debug)]
pub struct Sabotage {
    i: usize,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Payload(usize, Place),
    Iov(Place),
    Name(Place),
    Control(Place),
    /// Its payload goes where the first message's goes.
    Shared,
    /// The page of the last headers, and of buffers if there are few, can't be written to.
    LastPage,
}

impl Sabotage {
    /// Something that leaves both sockets the same.
    pub fn random(random: &mut Random, kind: Kind, messages: &Messages, skewed: bool) -> Option<Self> {
        let n = messages.len();
        let place = random.pick(&[Place::Hole, Place::Kernel]);
        let i = random.pick(&[0, n / 2, n - 1]);
        let segment = random.below(messages.segments(i).len().max(1));
        let what = random.pick(&[
            What::Payload(segment, place),
            What::Payload(segment, Place::Hole),
            What::Payload(segment, Place::Hole),
            What::Shared,
            What::Iov(place),
            What::Payload(0, Place::Header(i.saturating_sub(1))),
            What::Payload(0, Place::Control(i)),
            What::Name(Place::Header(i)),
            What::Name(Place::Payload(i)),
            What::Name(place),
            What::Control(place),
            What::LastPage,
        ]);
        // What goes there may not run into what lies behind it.
        let room = messages.segments(i).first().map_or(0, ExactSizeIterator::len);
        let useful = match what {
            What::Payload(_, Place::Header(before)) => {
                before < i && room > 0 && messages.abi() == Abi::Native
            }
            What::Name(Place::Payload(_)) => room >= LONGEST_NAME,
            What::Payload(_, Place::Control(_)) => room > 0 && messages.control_room(i).len() >= ELSEWHERE,
            // How much of a stream is gone when a copy of it fails depends on how its segments were joined on their
            // way, which no two connections have in common.
            What::Payload(..) | What::Iov(_) => kind != Kind::Tcp && !messages.segments(i).is_empty(),
            // How far a copy came that failed across a page's end is nobody's business.
            What::LastPage => kind != Kind::Tcp && !skewed && messages.memory().len() >= TWO_PAGES,
            What::Shared => [0, i].iter().all(|&i| !messages.segments(i).is_empty()),
            What::Name(_) | What::Control(_) => true,
        };
        (useful && random.once_in(2)).then_some(Self { i, what })
    }

    /// Whether `remember_mmsghdr()` sees it among `some`: what no call could ever use it refuses.
    pub fn is_refused(self, some: &Range<usize>) -> bool {
        let unusable = matches!(self.what, What::Payload(_, Place::Kernel) | What::Iov(_));
        unusable && some.contains(&self.i)
    }

    /// Spoils fresh headers.
    pub fn apply(self, messages: &Messages) {
        match self.what {
            What::Payload(segment, place) => messages.point_segment(self.i, segment, place, ELSEWHERE),
            What::Iov(place) => messages.point(self.i, Field::Iov, place),
            What::Name(place) => messages.point(self.i, Field::Name, place),
            What::Control(place) => messages.point(self.i, Field::Control, place),
            What::Shared => {
                let len = messages.segments(0)[0].len();
                messages.point_segment(self.i, 0, Place::Payload(0), len);
            }
            What::LastPage => (),
        }
    }

    /// Sets what may be done with the last page, if that is what is sabotaged.
    pub fn protect(self, messages: &Messages, protection: i32) {
        if let What::LastPage = self.what {
            let memory = messages.memory();
            memory.protect(memory.len() - PAGE..memory.len(), protection);
        }
    }
}
