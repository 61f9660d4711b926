//! The differential oracle: the same random traffic through two sockets that differ in one thing, that one has
//! the array remembered. All that a program can see must be the same, to the last byte.

// Whatever can't go on has failed.
#![allow(clippy::unwrap_used)]

mod random;
mod twins;

use std::ops::Range;
use std::time::Duration;

use rust_tests::sys::abi::Abi;
use rust_tests::sys::memory::{Mapping, PAGE};
use rust_tests::sys::messages::{Field, Messages, Place, Shape};
use rust_tests::sys::net::{next_len, set_option, take_error};
use rust_tests::sys::process::stay_on_one_cpu;
use rust_tests::sys::{Remember, errno};
use rust_tests::{needs_remember, skip};

use random::Random;
use twins::{Kind, Twins, counters};

/// Arrays a test; each is used a few times.
const ROUNDS: usize = 400;
/// The first round's seed; a failure names the seed of its round, which alone repeats it.
const SEED: u64 = 1;

const TWO_PAGES: usize = 2 * PAGE;

/// A way to make a message's reception fail.
type Sabotage = Option<(usize, Sabotaged)>;

#[derive(Clone, Copy, Debug)]
enum Sabotaged {
    Payload,
    Name(Place),
    Control(Place),
    /// The page of the last headers, and of buffers if there are few, can't be written to.
    LastPage,
}

/// A round: an array of random shape, remembered, and then used.
struct Round<'a> {
    twins: &'a Twins,
    messages: Messages,
    sabotage: Sabotage,
}

fn shape(random: &mut Random) -> Shape {
    let segments: Vec<usize> = match random.below(10) {
        0 => (0..random.below(10)).map(|_| random.below(4) * random.below(100)).collect(),
        1 => vec![0],
        _ => vec![random.below(300)],
    };
    let mut shape = Shape::segments(&segments);
    if random.coin() {
        shape = shape.name_of(random.pick(&[0, 1, 2, 15, 16, 17, 28, 110, 128, 129, 200]));
    }
    if random.coin() {
        shape = shape.control(random.pick(&[0, 1, 15, 16, 20, 24, 40, 64, 200]));
    }
    shape
}

/// Mostly equal messages, the case that programs care for, else all different.
fn shapes(random: &mut Random) -> Vec<Shape> {
    let n = random.pick(&[1, 2, 5, 12, 40, 70]);
    let uniform = random.coin().then(|| shape(random));
    (0..n).map(|_| uniform.clone().unwrap_or_else(|| shape(random))).collect()
}

fn sabotage(random: &mut Random, n: usize) -> Sabotage {
    let place = random.pick(&[Place::Hole, Place::Kernel]);
    let which = random.pick(&[0, n / 2, n - 1]);
    let what = random.pick(&[
        Sabotaged::Payload,
        Sabotaged::Name(Place::Header(which)),
        Sabotaged::Name(place),
        Sabotaged::Control(place),
        Sabotaged::LastPage,
    ]);
    (random.below(3) == 0).then_some((which, what))
}

impl Kind {
    /// Whether what is sabotaged leaves both sockets the same. How much of a stream is gone when a copy of it fails
    /// depends on how the segments were joined on their way, which no two connections have in common.
    fn survives(self, what: Sabotaged) -> bool {
        self != Self::Tcp || !matches!(what, Sabotaged::Payload | Sabotaged::LastPage)
    }
}

fn flags(random: &mut Random) -> i32 {
    let mut flags = libc::MSG_DONTWAIT;
    for flag in [libc::MSG_PEEK, libc::MSG_TRUNC, libc::MSG_WAITFORONE, libc::MSG_CMSG_CLOEXEC] {
        flags |= if random.below(4) == 0 { flag } else { 0 };
    }
    flags | if random.below(20) == 0 { libc::MSG_ERRQUEUE } else { 0 }
}

impl Round<'_> {
    /// Makes memory as it is before every call.
    fn prepare(&self, spoil: bool) {
        self.messages.reset();
        match self.sabotage {
            // Of no length, a buffer is not touched wherever it is.
            Some((i, Sabotaged::Payload)) if self.messages.get(i, Field::Iovlen) > 0 => {
                self.messages.point_segment(i, 0, Place::Hole, 64);
            }
            Some((i, Sabotaged::Name(place))) => self.messages.point(i, Field::Name, place),
            Some((i, Sabotaged::Control(place))) => self.messages.point(i, Field::Control, place),
            _ => (),
        }
        if spoil {
            self.messages.spoil_all();
        }
    }

    /// Sets what may be done with the last page, if that is sabotaged and not the only one.
    fn protect(&self, protection: i32) {
        let memory = self.messages.memory();
        if let (Some((_, Sabotaged::LastPage)), TWO_PAGES..) = (self.sabotage, memory.len()) {
            memory.protect(memory.len() - PAGE..memory.len(), protection);
        }
    }

    /// Sends to both, receives from both by the same call, and compares.
    fn call(&self, random: &mut Random) {
        let n = self.messages.len();
        for _ in 0..random.below((n + 3).min(30)) {
            let len = if random.below(5) == 0 { 0 } else { random.below(350) };
            let payload: Vec<u8> = (0..len).map(|_| random.below(256).to_ne_bytes()[0]).collect();
            self.twins.send(&payload, random.below(10) == 0);
        }
        self.twins.settle();

        let start = random.below(n);
        let (some, flags) = (start..start + 1 + random.below(n - start), flags(random));
        let timeout = (random.below(10) == 0).then_some(Duration::ZERO);
        let spoil = random.coin();
        let context = format!("{some:?} of {n}, flags {flags:#x}, {timeout:?}, {:?}", self.sabotage);
        let [(plain, plain_image), (remembered, image)] =
            [(&self.twins.plain, false), (&self.twins.remembered, spoil)].map(|(socket, spoil)| {
                self.prepare(spoil);
                let before = counters();
                self.protect(libc::PROT_READ);
                let result = self.messages.recv_unchecked(&some, timeout, socket, flags);
                self.protect(libc::PROT_READ | libc::PROT_WRITE);
                let counted: Vec<_> =
                    counters().iter().zip(before).map(|(after, before)| after - before).collect();
                let result = result.map_err(|error| error.raw_os_error().unwrap());
                ((result, counted), self.messages.image())
            });
        assert_eq!(remembered, plain, "{context}");
        let received = some.start..some.start + plain.0.unwrap_or(0);
        let images =
            [plain_image, image].map(|image| if spoil { self.mask(image, &received) } else { image });
        let differ = images[0].iter().zip(&images[1]).position(|(plain, remembered)| plain != remembered);
        assert_eq!(differ.map(|at| self.messages.describe(at)), None, "{context}");
        self.compare_sockets(random, &context);
    }

    /// Blanks all of the headers but the results of those messages that were received.
    fn mask(&self, mut image: Vec<u8>, received: &Range<usize>) -> Vec<u8> {
        let before = image.clone();
        image[self.messages.header(0)..].fill(0);
        for field in received.clone().flat_map(|i| Field::RESULTS.map(|field| self.messages.field(i, field)))
        {
            image[field.clone()].copy_from_slice(&before[field]);
        }
        image
    }

    fn compare_sockets(&self, random: &mut Random, context: &str) {
        let [plain, remembered] = [&self.twins.plain, &self.twins.remembered];
        assert_eq!(next_len(remembered), next_len(plain), "FIONREAD {context}");
        let [dropped, dropped_too] = self.twins.drops();
        assert_eq!(dropped_too, dropped, "drops {context}");
        if random.coin() {
            assert_eq!(take_error(remembered), take_error(plain), "SO_ERROR {context}");
        }
    }
}

/// Drives random rounds through twins of this kind.
fn drive(kind: Kind, abi: Abi) {
    needs_remember!();
    if errno(abi.remember(-1, 0, 0, 0)) == libc::ENOSYS {
        skip!("this kernel knows no {abi:?} calls");
    }
    stay_on_one_cpu();
    let twins = Twins::new(kind);
    for seed in (SEED..).take(ROUNDS) {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let any = random.coin();
        for &(level, name) in kind.options() {
            let value = i32::from(any && random.coin());
            set_option(&twins.plain, level, name, value).unwrap();
            set_option(&twins.remembered, level, name, value).unwrap();
        }
        let shapes = shapes(&mut random);
        let map = if abi == Abi::Native { Mapping::new } else { Mapping::low };
        let messages = Messages::with(abi, &shapes, map);
        let sabotage = sabotage(&mut random, shapes.len()).filter(|&(_, what)| kind.survives(what));
        let round = Round { twins: &twins, sabotage, messages };
        round.prepare(false);
        twins.remembered.remember(&round.messages).unwrap();
        for _ in 0..=random.below(4) {
            round.call(&mut random);
        }
        twins.remembered.forget_all().unwrap();
        twins.drain();
    }
}

#[test]
fn udp_over_ipv4() {
    drive(Kind::Udp4, Abi::Native);
}

#[test]
fn udp_over_ipv6() {
    drive(Kind::Udp6, Abi::Native);
}

#[test]
fn udp_over_ipv4_at_an_ipv6_socket() {
    drive(Kind::Mapped, Abi::Native);
}

#[test]
fn udplite() {
    drive(Kind::UdpLite, Abi::Native);
}

#[test]
fn unix() {
    drive(Kind::Unix, Abi::Native);
}

#[test]
fn tcp() {
    drive(Kind::Tcp, Abi::Native);
}

#[test]
fn udp_from_a_32_bit_process() {
    drive(Kind::Udp4, Abi::Ia32);
}

#[test]
fn unix_from_a_32_bit_process() {
    drive(Kind::Unix, Abi::Ia32);
}

#[test]
fn udp_by_x32() {
    drive(Kind::Udp4, Abi::X32);
}
