//! An HTTP server of one thread, which gives the answers that it is told, good and bad.

#![allow(unreachable_pub)]

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What the server sends for one request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status line and the fields, without `Content-Length`.
    head: String,
    /// The length that is announced.
    length: usize,
    body: Vec<u8>,
}

impl Answer {
    pub fn file(bytes: &[u8]) -> Self {
        Self { head: "200 OK".into(), length: bytes.len(), body: bytes.into() }
    }

    /// The file from this byte on.
    pub fn rest(bytes: &[u8], start: usize) -> Self {
        let head = format!("206 Partial Content\r\nContent-Range: bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
        Self { head, ..Self::file(&bytes[start..]) }
    }

    /// A status without content; fields may follow it.
    pub fn status(head: &str) -> Self {
        Self { head: head.into(), ..Self::file(&[]) }
    }

    /// Ends after so many bytes of the body, whatever was announced.
    pub fn cut(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }

    /// A client that hangs up ends the answer.
    fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let Self { head, length, body } = self;
        write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")?;
        stream.write_all(body)?;
        stream.shutdown(Shutdown::Write)?;
        // Until the client has read all, as closing before that may take back what was sent.
        std::io::copy(stream, &mut std::io::sink())?;
        Ok(())
    }
}

/// The path and the `Range` of a request.
type Request = (String, Option<String>);

/// The server; it ends when dropped.
pub struct Server {
    address: SocketAddr,
    /// Those so far.
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<Mutex<bool>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Gives these answers in turn, then 410.
    pub fn new(answers: Vec<Answer>) -> Self {
        let mut answers = answers.into_iter();
        Self::start(move |_| answers.next())
    }

    /// Gives the files of a folder.
    pub fn of_folder(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self::start(move |path| Some(Answer::file(&std::fs::read(folder.join(path.trim_start_matches('/'))).ok()?)))
    }

    fn start(mut answer: impl FnMut(&str) -> Option<Answer> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(false)));
        let (log, stopped) = (requests.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if *stopped.lock().unwrap() {
                    break;
                }
                let Ok(mut stream) = stream else { continue };
                let Some(request) = read_request(&stream) else { continue };
                let answer = answer(&request.0).unwrap_or_else(|| Answer::status("410 Gone"));
                log.lock().unwrap().push(request);
                let _ = answer.send(&mut stream);
            }
        });
        Self { address, requests, stop, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The path of each request so far.
    pub fn paths(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    /// From which byte on each request so far wanted the file.
    pub fn ranges(&self) -> Vec<Option<String>> {
        self.requests.lock().unwrap().iter().map(|(_, range)| range.clone()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        *self.stop.lock().unwrap() = true;
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_request(stream: &TcpStream) -> Option<(String, Option<String>)> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let fields = lines.take_while(|line| !line.is_empty());
    let range = fields.filter_map(|line| Some(line.to_ascii_lowercase().strip_prefix("range: ")?.to_owned())).last();
    Some((path, range))
}
