//! A web server that misbehaves as told, on a port of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What a client asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    /// Whether it asks to go on where an earlier one was cut off.
    pub fn resumes(&self) -> bool {
        self.headers.contains_key("range")
    }
}

/// What the server answers; the connection is closed after it.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// How much of the body is sent, though all of it is promised.
    pub sent: usize,
    /// Sent in that many pieces, 0.5 s apart.
    pub pieces: usize,
    /// After that, the connection is left open and silent.
    pub hold: bool,
}

impl Reply {
    pub fn new(status: u16, body: &[u8]) -> Self {
        let sent = body.len();
        Self { status, headers: Vec::new(), body: body.to_vec(), sent, pieces: 1, hold: false }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends at most `sent` bytes of the body.
    pub fn cut(mut self, sent: usize) -> Self {
        self.sent = sent.min(self.body.len());
        self
    }

    /// Goes silent in place of closing the connection.
    pub fn hold(mut self) -> Self {
        self.hold = true;
        self
    }
}

/// The server, until it is dropped.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by what `handler` makes of it.
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (handler, log) = (Arc::new(handler), Arc::clone(&requests));
        // Ends with the test's process: nothing waits for a connection that never comes.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (handler, log, stream) = (Arc::clone(&handler), Arc::clone(&log), stream.unwrap());
                thread::spawn(move || answer(stream, &*handler, &log));
            }
        });
        Self { address, requests }
    }

    /// Serves `body` under `etag` to whoever asks, ranges included.
    pub fn of(body: Vec<u8>, etag: &'static str) -> Self {
        Self::start(move |request| serve(request, &body, etag))
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// The requests so far that asked for content.
    pub fn gets(&self) -> Vec<Request> {
        let mut requests = self.requests.lock().unwrap().clone();
        requests.retain(|request| request.method == "GET");
        requests
    }

    /// How many requests there were, of any kind.
    pub fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// Answers as a sound server does, by RFC 9110.
pub fn serve(request: &Request, body: &[u8], etag: &str) -> Reply {
    let start = request
        .headers
        .get("range")
        .filter(|_| request.headers.get("if-range").is_none_or(|validator| validator == etag))
        .map(|range| range["bytes=".len()..].trim_end_matches('-').parse::<usize>().unwrap());
    let reply = match start {
        Some(start) if start >= body.len() => Reply::new(416, b""),
        Some(start) => Reply::new(206, &body[start..])
            .header("Content-Range", format!("bytes {start}-{}/{}", body.len() - 1, body.len())),
        None => Reply::new(200, body),
    };
    reply.header("ETag", etag)
}

fn answer(stream: TcpStream, handler: &dyn Fn(&Request) -> Reply, log: &Mutex<Vec<Request>>) {
    // A client that is killed goes away in the middle; that is its test's business, not the server's.
    let _ = converse(stream, handler, log);
}

fn converse(
    mut stream: TcpStream,
    handler: &dyn Fn(&Request) -> Reply,
    log: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let request = read(&stream)?;
    log.lock().unwrap().push(request.clone());
    let reply = handler(&request);
    write!(stream, "HTTP/1.1 {} Told So\r\nConnection: close\r\n", reply.status)?;
    write!(stream, "Content-Length: {}\r\n", reply.body.len())?;
    for (name, value) in &reply.headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(stream, "\r\n")?;
    if request.method == "HEAD" {
        return Ok(());
    }
    for piece in reply.body[..reply.sent].chunks(reply.sent.div_ceil(reply.pieces).max(1)) {
        stream.write_all(piece)?;
        if reply.pieces > 1 {
            thread::sleep(Duration::from_millis(500));
        }
    }
    if reply.hold {
        stream.read_to_end(&mut Vec::new())?;
    }
    Ok(())
}

fn read(stream: &TcpStream) -> std::io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Request { method, path, headers, body })
}
