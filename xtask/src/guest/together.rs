//! Several guests at once, all of which hear when the user wants to stop.

use std::panic::resume_unwind;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::session::Event;

/// What a guest's watcher listens to, and where the guest's streams send to.
pub type Events = (SyncSender<Event>, Receiver<Event>);

/// Runs `guest` for 0 to `count`, each in a thread of its own, and returns what came of them in that order.
pub fn at_once<T: Send>(count: u32, guest: impl Fn(u32, Events) -> Result<T> + Sync) -> Result<Vec<T>> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("listening for signals")?;
    let closer = signals.handle();
    // Bounded, so that a flood waits in the guest and not in our memory.
    let channels: Vec<_> = (0..count).map(|_| mpsc::sync_channel(1024)).collect();
    let senders: Vec<_> = channels.iter().map(|(sender, _)| sender.clone()).collect();
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in signals.forever() {
                for sender in &senders {
                    // Gone is only whose guest has ended.
                    let _ = sender.send(Event::Interrupted);
                }
            }
        });
        let guest = &guest;
        let guests: Vec<_> =
            (0..).zip(channels).map(|(number, events)| scope.spawn(move || guest(number, events))).collect();
        let ended: Vec<_> = guests.into_iter().map(ScopedJoinHandle::join).collect();
        // Before anything can unwind: the scope waits for the thread that this ends.
        closer.close();
        ended.into_iter().map(|guest| guest.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}
