//! An HTTP server for tests, on a port of its own, that answers with whatever bytes a test wants.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Request line and headers, lower case, as they came.
pub type Request = Vec<String>;

/// A server on a port of its own. `answer` gets the request and its number and writes whatever it likes.
pub struct Server {
    /// `http://127.0.0.1:port`.
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts it.
    pub fn start(answer: impl Fn(&Request, usize, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&stream);
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request.clone());
                    seen.len() - 1
                };
                answer(&request, number, &mut stream);
            }
        });
        Self { address, requests }
    }

    /// Serves `bytes` whole and takes ranges up, as good servers do.
    pub fn good(bytes: Vec<u8>) -> Self {
        Self::start(move |request, _, stream| serve(request, &bytes, "\"v1\"", bytes.len(), stream))
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// `Range` of each request so far.
    pub fn ranges(&self) -> Vec<Option<String>> {
        self.requests().iter().map(|request| header(request, "range")).collect()
    }
}

/// Reads a request up to its empty line.
pub fn read_request(stream: &TcpStream) -> Request {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect()
}

/// A header of a request.
pub fn header(request: &Request, name: &str) -> Option<String> {
    request.iter().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
}

/// Answers with the whole or the rest, as `Range` and `If-Range` say, and closes after `cut` bytes of the body.
pub fn serve(request: &Request, bytes: &[u8], tag: &str, cut: usize, stream: &mut TcpStream) {
    let start = header(request, "range").filter(|_| header(request, "if-range").as_deref() == Some(tag));
    let start = start.map(|range| range.trim_start_matches("bytes=").trim_end_matches('-').parse::<usize>().unwrap());
    let (status, range, start) = match start {
        Some(start) => {
            let range = format!("Content-Range: bytes {start}-{}/{}\r\n", bytes.len() - 1, bytes.len());
            ("206 Partial Content", range, start)
        }
        None => ("200 OK", String::new(), 0),
    };
    let body = &bytes[start..];
    let head = format!(
        "HTTP/1.1 {status}\r\nETag: {tag}\r\n{range}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body[..cut.min(body.len())]);
}

/// Answers with status and headers of `head`, and closes.
pub fn reply(stream: &mut TcpStream, head: &str, body: &[u8]) {
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
    let _ = stream.write_all(body);
}
