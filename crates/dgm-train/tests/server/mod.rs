//! An HTTP server of one thread per connection, which gives the answers it is told, good and bad.

#![allow(unreachable_pub)]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a client asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    fields: Vec<(String, String)>,
}

impl Request {
    /// The value of a header field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// Closed until it is opened.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    pub fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the server sends for one request.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    status: String,
    fields: Vec<String>,
    /// `Content-Length`, where it is announced.
    length: Option<usize>,
    body: Vec<u8>,
    /// Sent in place of all of the above.
    raw: Option<Vec<u8>>,
    /// Holds the second half of the body back.
    gate: Option<Gate>,
    /// After the body, before the connection ends.
    wait: Duration,
    /// Many zeros after the body.
    zeros: bool,
}

impl Answer {
    pub fn file(bytes: &[u8]) -> Self {
        Self { status: "200 OK".into(), length: Some(bytes.len()), body: bytes.into(), ..Self::default() }
    }

    /// The file from this byte on.
    pub fn rest(bytes: &[u8], start: usize) -> Self {
        let range = format!("Content-Range: bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
        Self { status: "206 Partial Content".into(), fields: vec![range], ..Self::file(&bytes[start..]) }
    }

    pub fn status(status: &str) -> Self {
        Self { status: status.into(), length: Some(0), ..Self::default() }
    }

    pub fn redirect(to: &str) -> Self {
        Self { fields: vec![format!("Location: {to}")], ..Self::status("302 Found") }
    }

    pub fn raw(bytes: &[u8]) -> Self {
        Self { raw: Some(bytes.into()), ..Self::default() }
    }

    pub fn nothing() -> Self {
        Self::raw(b"")
    }

    /// Ends after so many bytes of the body, whatever was announced.
    pub fn cut(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }

    pub fn announcing(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }

    /// Without `Content-Length`: the body ends with the connection.
    pub fn unannounced(mut self) -> Self {
        self.length = None;
        self
    }

    pub fn held_by(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    pub fn then_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    pub fn then_zeros(mut self) -> Self {
        self.zeros = true;
        self
    }

    /// A client that hangs up ends the answer.
    fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        if let Some(raw) = &self.raw {
            stream.write_all(raw)?;
        } else {
            let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", self.status);
            self.fields.iter().for_each(|field| head += &format!("{field}\r\n"));
            if let Some(length) = self.length {
                head += &format!("Content-Length: {length}\r\n");
            }
            stream.write_all(format!("{head}\r\n").as_bytes())?;
            let (first, second) = self.body.split_at(self.body.len() / 2);
            stream.write_all(first)?;
            if let Some(Gate(open)) = &self.gate {
                until(|| open.load(Ordering::Relaxed));
            }
            stream.write_all(second)?;
        }
        stream.flush()?;
        if !self.wait.is_zero() {
            // As long as the client waits, and no longer.
            stream.set_read_timeout(Some(self.wait))?;
            let _ = stream.read(&mut [0]);
        }
        // Enough to be called endless, and an end for a client that takes it all.
        for _ in 0..if self.zeros { 2_000 } else { 0 } {
            stream.write_all(&[0; 1 << 14])?;
        }
        stream.shutdown(Shutdown::Write)?;
        // Until the client has read all, as closing before that may take back what was sent.
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        std::io::copy(stream, &mut std::io::sink())?;
        Ok(())
    }
}

/// Where answers come from.
enum Answers {
    InTurn(Mutex<VecDeque<Answer>>),
    Folder(PathBuf),
}

/// The server; it ends when dropped.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Gives these answers in turn, then 410.
    pub fn new(answers: Vec<Answer>) -> Self {
        Self::start(Answers::InTurn(Mutex::new(answers.into())))
    }

    /// Gives the files of a folder.
    pub fn of_folder(folder: &Path) -> Self {
        Self::start(Answers::Folder(folder.into()))
    }

    fn start(source: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, stopped, source) = (requests.clone(), stop.clone(), Arc::new(source));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (log, source) = (log.clone(), source.clone());
                let Ok(mut stream) = stream else { continue };
                std::thread::spawn(move || {
                    let Some(request) = read_request(&stream) else { return };
                    log.lock().unwrap().push(request.clone());
                    let answer = match &*source {
                        Answers::InTurn(answers) => answers.lock().unwrap().pop_front(),
                        Answers::Folder(folder) => std::fs::read(folder.join(request.path.trim_start_matches('/')))
                            .ok()
                            .map(|bytes| Answer::file(&bytes)),
                    };
                    let _ = answer.unwrap_or_else(|| Answer::status("410 Gone")).send(&mut stream);
                });
            }
        });
        Self { address, requests, stop, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was asked for so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn wait_for_requests(&self, n: usize) {
        until(|| self.requests().len() >= n);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits until this holds, and fails where it does not come to.
pub fn until(holds: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("a minute has passed in vain");
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut fields = Vec::new();
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            return Some(Request { path, fields });
        }
        let (name, value) = line.split_once(':')?;
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    None
}
