//! What happens to both sockets between calls.

use rust_tests::sys::calls;

use crate::options;
use crate::random::Random;
use crate::traffic::{Sender, UdpSender};
use crate::twins::{Kind, Twins};

/// Nobody is there.
const DEAD_PORT: u16 = 1;

/// Lets something happen, now and then.
pub fn maybe(twins: &Twins, kind: Kind, random: &mut Random) {
    let event = random.below(40);
    crate::tell(|| format!("event {event}"));
    match (event, &twins.sender) {
        (0..4, _) => options::set_one(kind, twins.pair(), random),
        (4, _) if kind != Kind::Tcp => receive_plainly(twins, random),
        (5..8, Sender::Udp([sender, _])) => provoke_an_error(twins, kind, sender, random),
        (8, Sender::Udp([sender, _])) => {
            let peer = kind.sees(sender.from.local_addr().unwrap());
            twins.both(|socket| calls::connect(socket, peer));
        }
        (9, Sender::Udp(_)) => {
            twins.both(calls::disconnect);
        }
        (10, Sender::Udp(_)) => {
            // Nothing at all, not even all of the header, or some of the payload.
            let len = random.pick(&[0, 4, 8, 9, 40]);
            twins.both(|socket| calls::filter_to(socket, len));
        }
        (11, Sender::Udp(_)) => {
            twins.both(|socket| calls::last_stamp(socket).map(drop));
        }
        (12, Sender::Udp(_)) if random.once_in(4) => {
            twins.both(calls::shut_down);
        }
        (13, Sender::Udp([sender, _])) => outgrow_the_path(twins, kind, sender),
        (14, Sender::Udp([sender, _])) if kind == Kind::Mapped => {
            let peer = kind.sees(sender.from.local_addr().unwrap());
            twins.both(|socket| calls::connect(socket, peer));
            options::become_ipv4(twins.pair());
        }
        _ => (),
    }
}

fn receive_plainly(twins: &Twins, random: &mut Random) {
    let room = random.below(300);
    twins.both(|socket| calls::receive(socket, room, libc::MSG_DONTWAIT));
}

/// Sends what the path is too narrow for, at times: the next call receives that, and no datagram.
fn outgrow_the_path(twins: &Twins, kind: Kind, sender: &UdpSender) {
    options::hear_of_narrow_paths(twins.pair());
    let peer = kind.sees(sender.from.local_addr().unwrap());
    twins.both(|socket| calls::send_to(socket, &[0; 2000], peer, libc::MSG_DONTWAIT));
}

/// Sends where nobody listens: the answer is an error of the socket's, and one for its queue if it wants them.
fn provoke_an_error(twins: &Twins, kind: Kind, sender: &UdpSender, random: &mut Random) {
    // Else only who has a peer hears of it.
    if random.coin() {
        options::hear_of_errors(twins.pair());
    }
    let nobody = kind.sees((sender.to.ip(), DEAD_PORT).into());
    twins.both(|socket| calls::send_to(socket, b"anybody?", nobody, libc::MSG_DONTWAIT));
}
