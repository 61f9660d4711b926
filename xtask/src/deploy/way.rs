//! A way to a machine's sshd on which connections can be lost.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Forwards connections to a port of the loopback.
pub struct Way {
    /// The port that it starts at.
    pub port: u16,
    next: Arc<Mutex<Option<Duration>>>,
}

impl Way {
    /// To this port.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let way = Self { port: listener.local_addr().unwrap().port(), next: Arc::default() };
        let next = Arc::clone(&way.next);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, lost) = (client.unwrap(), next.lock().unwrap().take());
                thread::spawn(move || forward(&client, port, lost));
            }
        });
        way
    }

    /// Loses the next connection, so long after it began.
    pub fn lose_next(&self, after: Duration) {
        *self.next.lock().unwrap() = Some(after);
    }
}

/// Ends when both have nothing more to say, or are cut off.
fn forward(client: &TcpStream, port: u16, lost: Option<Duration>) -> io::Result<()> {
    let host = &TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let copy = |mut from: &TcpStream, mut to: &TcpStream| {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    thread::scope(|scope| {
        scope.spawn(move || copy(client, host));
        scope.spawn(move || copy(host, client));
        if let Some(after) = lost {
            thread::sleep(after);
            for end in [client, host] {
                let _ = end.shutdown(Shutdown::Both);
            }
        }
    });
    Ok(())
}
