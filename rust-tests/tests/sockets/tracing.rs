//! Tracepoints on the way of a message, for those who count on them.

use std::fs;
use std::path::PathBuf;

use rust_tests::skip;
use rust_tests::sys::messages::Shape;
use rust_tests::sys::net::udp4;
use rust_tests::sys::process::{stay_on_one_cpu, thread_id};
use rust_tests::sys::raw::{Checksum, RawUdp};

use crate::batch::{NOW, both_ways};

/// A trace of some events of this thread alone.
struct Trace(PathBuf);

impl Trace {
    fn of(events: &[&str]) -> Self {
        let tracing = PathBuf::from("/sys/kernel/tracing");
        if !tracing.join("instances").exists() {
            skip!("this kernel has no tracepoints (--config debug has)");
        }
        let trace = Self(tracing.join(format!("instances/{}", thread_id())));
        fs::create_dir(&trace.0).unwrap();
        trace.write("set_event_pid", &thread_id().to_string());
        for event in events {
            trace.write(&format!("events/{event}/enable"), "1");
        }
        trace
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }

    /// What `act` makes the kernel trace, without time and place.
    fn during(&self, act: impl FnOnce()) -> Vec<String> {
        self.write("trace", "");
        act();
        let trace = fs::read_to_string(self.0.join("trace")).unwrap();
        let events = trace.lines().filter(|line| !line.starts_with('#'));
        events.filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn the_length_of_each_message_is_traced() {
    stay_on_one_cpu();
    let trace = Trace::of(&["sock/sock_recv_length"]);
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
        for text in ["one", "three", "sixteen"] {
            sender.send(text.as_bytes()).unwrap();
        }
        let events = trace.during(|| assert_eq!(batch.recv(NOW).unwrap(), 3));
        let results: Vec<_> =
            events.iter().filter_map(|event| Some(event.split_once("length = ")?.1)).collect();
        let result = |length, error| format!("{length}, error = {error}, flags = 0x40");
        // The last of them found nothing.
        assert_eq!(results, [result(3, 0), result(5, 0), result(7, 0), result(0, -libc::EAGAIN)]);
    });
}

#[test]
fn each_message_that_is_consumed_or_dropped_is_traced() {
    stay_on_one_cpu();
    let trace = Trace::of(&["skb/consume_skb", "skb/kfree_skb"]);
    let (receiver, sender) = udp4();
    let raw = RawUdp::new(sender.local_addr().unwrap()).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 40, &Shape::payload(200).name());
        for _ in 0..20 {
            sender.send(b"good").unwrap();
        }
        raw.send(&[0; 100], receiver.local_addr().unwrap(), Checksum::Wrong).unwrap();
        sender.send(b"good").unwrap();
        let events = trace.during(|| {
            batch.prepare();
            let n = batch.messages.recv_unchecked(&(0..40), None, &receiver, NOW).unwrap();
            assert_eq!(n, 21);
        });
        let count = |name| events.iter().filter(|event| event.starts_with(name)).count();
        assert_eq!((count("consume_skb"), count("kfree_skb")), (21, 1), "{events:?}");
    });
}
