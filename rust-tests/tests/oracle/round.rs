//! A round: an array of random shape, remembered, and then used a few times.

use std::ops::Range;
use std::os::fd::AsRawFd;
use std::time::Duration;

use rust_tests::sys::abi::Abi;
use rust_tests::sys::calls::readiness;
use rust_tests::sys::memory::Mapping;
use rust_tests::sys::messages::{Field, Messages, Shape};
use rust_tests::sys::net::{charged, next_len, option, take_error};
use rust_tests::sys::{Remember, errno};

use crate::random::Random;
use crate::sabotage::Sabotage;
use crate::stamps::{self, Times};
use crate::twins::{Kind, Twins};
use crate::{controls, events, options};

/// That of the loopback by default, and one that makes fragments of long datagrams.
const MTUS: [i32; 2] = [65_536, 1500];

pub struct Round<'a> {
    kind: Kind,
    twins: &'a Twins,
    messages: Messages,
    sabotage: Option<Sabotage>,
    /// No call that is within these reads its headers any more.
    remembered: Range<usize>,
    /// Buffers are long, and so are messages.
    large: bool,
    began: i128,
}

/// A call, as a failure tells of it.
#[derive(Debug)]
struct Call {
    some: Range<usize>,
    flags: i32,
    timeout: Option<Duration>,
    spoil: bool,
}

impl<'a> Round<'a> {
    /// Sets everything up that is not for one call alone.
    pub fn new(kind: Kind, abi: Abi, twins: &'a Twins, random: &mut Random) -> Self {
        let began = stamps::now();
        let large = random.once_in(10);
        let skew = if random.once_in(4) { 1 + random.below(7) } else { 0 };
        let shapes = shapes(random, large, skew);
        let map = if abi == Abi::Native { Mapping::new } else { Mapping::low };
        let messages = Messages::with(abi, &shapes, map);
        let sabotage = Sabotage::random(random, kind, &messages, skew > 0);
        if kind.is_udp() {
            twins.set_mtu(random.pick(&MTUS));
        }
        options::set_some(kind, twins.pair(), random);
        let mut round = Self { kind, twins, messages, sabotage, remembered: 0..0, large, began };
        round.prepare(false);
        round.remembered = round.remember(random);
        round
    }

    /// Remembers all of it, mostly, and returns what: nothing if no call could ever use it.
    fn remember(&self, random: &mut Random) -> Range<usize> {
        let n = self.messages.len();
        let some = if random.once_in(8) { part(n, random) } else { 0..n };
        let abi = self.messages.abi();
        let vlen = u32::try_from(some.len()).unwrap();
        let fd = self.twins.remembered.as_raw_fd();
        let result = abi.remember(fd, self.messages.address(some.start), vlen, 0);
        let refused = self.sabotage.filter(|sabotage| sabotage.is_refused(&some));
        match refused {
            // Where the kernel begins for a 64-bit process there is nothing for a 32-bit one.
            Some(sabotage) if abi == Abi::Native || result.is_err() => {
                assert_eq!(errno(result), libc::EFAULT, "remembering, {sabotage:?}");
                0..0
            }
            _ => {
                result.unwrap();
                some
            }
        }
    }

    /// Makes all of the calls.
    pub fn run(&self, random: &mut Random) {
        for _ in 0..=random.below(4) {
            events::maybe(self.twins, self.kind, random);
            let n = self.messages.len();
            for _ in 0..random.below((n + 3).min(if self.large { 8 } else { 30 })) {
                self.twins.sender.send(random, self.large);
            }
            self.twins.settle();
            self.call(&Call::random(random, self.kind, n, &self.remembered));
            if random.coin() {
                self.twins.both(|socket| Ok(take_error(socket)));
            }
        }
        self.twins.remembered.forget_all().unwrap();
        self.twins.drain();
    }

    /// Makes memory as it is before every call.
    fn prepare(&self, spoil: bool) {
        self.messages.reset();
        if let Some(sabotage) = self.sabotage {
            sabotage.apply(&self.messages);
        }
        if spoil {
            self.messages.spoil_all();
        }
    }

    /// Receives from both by the same call, and compares all there is to see.
    fn call(&self, call: &Call) {
        crate::tell(|| format!("{call:?}, {:?}", self.sabotage));
        let [plain, remembered] =
            [(&self.twins.plain, false), (&self.twins.remembered, call.spoil)].map(|(socket, spoil)| {
                self.prepare(spoil);
                self.protect(libc::PROT_READ);
                let called = stamps::now();
                let result = self.messages.recv_unchecked(&call.some, call.timeout, socket, call.flags);
                let returned = stamps::now();
                self.protect(libc::PROT_READ | libc::PROT_WRITE);
                let result = result.map_err(|error| error.raw_os_error().unwrap());
                let mut image = self.messages.image();
                stamps::replace(&self.messages, &mut image, &Times { began: self.began, called, returned });
                if self.kind.is_lite() || call.flags & libc::MSG_ERRQUEUE != 0 {
                    controls::blank_checksums(&self.messages, &mut image);
                } else {
                    controls::fold_checksums(&self.messages, &mut image);
                }
                self.mask(&mut image, call, result.unwrap_or(0));
                (result, image)
            });
        assert_eq!(remembered.0, plain.0, "{call:?}, {:?}", self.sabotage);
        if plain.1 != remembered.1 {
            let at = plain.1.iter().zip(&remembered.1).take_while(|(plain, other)| plain == other).count();
            let (plain, remembered, where_) = (plain.1[at], remembered.1[at], self.messages.describe(at));
            panic!("{remembered:#x} for {plain:#x} in {where_}: {call:?}, {:?}", self.sabotage);
        }
        self.compare_sockets(call);
    }

    fn protect(&self, protection: i32) {
        if let Some(sabotage) = self.sabotage {
            sabotage.protect(&self.messages, protection);
        }
    }

    /// Blanks what is never the same: what is left of a timeout, and where headers were spoiled for one of the two
    /// all of them but the results of what was received.
    fn mask(&self, image: &mut [u8], call: &Call, received: usize) {
        image[..16].fill(0);
        if call.spoil {
            let before = image.to_vec();
            image[self.messages.header(0)..].fill(0);
            let received = call.some.clone().take(received);
            for field in received.flat_map(|i| Field::RESULTS.map(|field| self.messages.field(i, field))) {
                image[field.clone()].copy_from_slice(&before[field]);
            }
        }
    }

    fn compare_sockets(&self, call: &Call) {
        let state = self.twins.pair().map(|socket| {
            let peek_off = option::<1>(socket, libc::SOL_SOCKET, libc::SO_PEEK_OFF).ok();
            (next_len(socket), readiness(socket), peek_off)
        });
        let [plain, remembered] = state;
        assert_eq!(remembered, plain, "FIONREAD, poll(), SO_PEEK_OFF after {call:?}");
        let [plain, remembered] = self.twins.drops();
        assert_eq!(remembered, plain, "drops after {call:?}");
        if self.kind.is_udp() {
            // Of what was received a quarter of the buffer may still be charged.
            let [room] = option(&self.twins.plain, libc::SOL_SOCKET, libc::SO_RCVBUF).unwrap();
            let [plain, remembered] = self.twins.pair().map(charged);
            assert!((remembered - plain).abs() < room / 4, "{remembered} charged, not {plain}");
        }
    }
}

impl Call {
    fn random(random: &mut Random, kind: Kind, n: usize, remembered: &Range<usize>) -> Self {
        let some = part(n, random);
        let within = remembered.start <= some.start && some.end <= remembered.end;
        Self {
            some,
            flags: flags(random, kind),
            timeout: match random.below(12) {
                0 => Some(Duration::ZERO),
                1 => Some(Duration::from_secs(1000)),
                _ => None,
            },
            spoil: random.coin() && within,
        }
    }
}

/// Some of so many, next to each other.
fn part(n: usize, random: &mut Random) -> Range<usize> {
    let start = random.below(n);
    start..start + 1 + random.below(n - start)
}

fn flags(random: &mut Random, kind: Kind) -> i32 {
    let mut flags = 0;
    for flag in [libc::MSG_PEEK, libc::MSG_TRUNC, libc::MSG_WAITFORONE, libc::MSG_CMSG_CLOEXEC] {
        flags |= if random.once_in(4) { flag } else { 0 };
    }
    if random.once_in(16) {
        flags |= libc::MSG_ERRQUEUE;
    }
    if kind == Kind::Tcp {
        return flags | libc::MSG_DONTWAIT;
    }
    // Any bit: most mean nothing here. The last but one is the kernel's own.
    if random.once_in(20) {
        flags |= 1 << random.below(31);
    }
    flags | if random.once_in(16) { 0 } else { libc::MSG_DONTWAIT }
}

/// Mostly equal messages, the case that programs care for, else all different.
fn shapes(random: &mut Random, large: bool, skew: usize) -> Vec<Shape> {
    let n = if large { 1 + random.below(5) } else { random.pick(&[1, 2, 5, 12, 40, 70]) };
    let uniform = random.coin().then(|| shape(random, large));
    (0..n).map(|_| uniform.clone().unwrap_or_else(|| shape(random, large)).skewed(skew)).collect()
}

fn shape(random: &mut Random, large: bool) -> Shape {
    let longest = if large { 70_000 } else { 300 };
    let segments: Vec<usize> = match random.below(10) {
        0 => (0..random.below(10)).map(|_| random.below(4) * random.below(longest / 3)).collect(),
        1 => vec![0],
        _ => vec![random.below(longest)],
    };
    let mut shape = Shape::segments(&segments);
    if random.coin() {
        shape = shape.name_of(random.pick(&[0, 1, 2, 15, 16, 17, 28, 110, 128, 129, 200]));
    }
    if random.coin() {
        shape = shape.control(random.pick(&[0, 1, 12, 15, 16, 17, 20, 24, 31, 32, 40, 64, 100, 200, 500]));
    }
    shape
}
