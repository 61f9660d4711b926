//! Several guests at once, all of which hear when the user wants to stop.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, OnceLock};
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;
use signal_hook::iterator::Signals;

use super::session::{Event, QUEUE};

/// What a guest's watcher listens to, and where the guest's streams send to.
pub type Events = (SyncSender<Event>, Receiver<Event>);

/// Whether a signal ends the program as ever. Who has listened once has to say so: a handler stays when all that
/// listened through it are gone, and then a build behind a guest could not be interrupted.
fn deaf() -> Result<&'static AtomicBool> {
    static DEAF: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(deaf) = DEAF.get() {
        return Ok(deaf);
    }
    // A signal that comes before anyone listens ends the program, too.
    let deaf = DEAF.get_or_init(|| Arc::new(true.into()));
    for signal in [SIGINT, SIGTERM] {
        register_conditional_default(signal, Arc::clone(deaf)).context("keeping what a signal does")?;
    }
    Ok(deaf)
}

/// Runs `guest` for 0 to `count`, each in a thread of its own, and returns what came of them in that order.
pub fn at_once<T: Send>(count: u32, guest: impl Fn(u32, Events) -> Result<T> + Sync) -> Result<Vec<T>> {
    let deaf = deaf()?;
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("listening for signals")?;
    deaf.store(false, Ordering::SeqCst);
    let closer = signals.handle();
    let channels: Vec<_> = (0..count).map(|_| mpsc::sync_channel(QUEUE)).collect();
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
        deaf.store(true, Ordering::SeqCst);
        closer.close();
        ended.into_iter().map(|guest| guest.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::io::{BufRead, BufReader, Read};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    #[test]
    #[ignore = "what the next test starts"]
    fn waits_behind_a_guest() {
        at_once(1, |_, _| Ok(())).unwrap();
        if env::var_os("WAIT").is_some() {
            println!("\nready");
            let _ = std::io::stdin().read(&mut [0]);
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test of what signals do to a program needs one")]
    fn behind_a_guest_a_signal_ends_the_program_again() {
        for signal in [Signal::INT, Signal::TERM] {
            let mut waiting = Command::new(env::current_exe().unwrap())
                .args(["--exact", "--ignored", "--nocapture", "guest::together::tests::waits_behind_a_guest"])
                .env("WAIT", "1")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut said = BufReader::new(waiting.stdout.take().unwrap()).lines();
            assert!(said.any(|line| line.unwrap() == "ready"));
            kill_process(Pid::from_child(&waiting), signal).unwrap();
            // Its input ends here, and it would, too, had the signal done nothing.
            assert_eq!(waiting.wait().unwrap().signal(), Some(signal.as_raw()));
        }
    }
}
