//! A server that lies: a real one, some of whose answers are made into something else on their way.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// What becomes of an answer's body; `None`: it stays as it is. Told is the line of the request, `GET /api/me HTTP/1.1`.
type Lie = Box<dyn Fn(&str, &[u8]) -> Option<Vec<u8>> + Send>;

/// Stands before a server.
pub struct Liar {
    address: String,
    lie: Arc<Mutex<Option<Lie>>>,
    told: Arc<Mutex<usize>>,
}

impl Liar {
    /// Before the server at an address such as `127.0.0.1:8000`; honest at first. It is there until the test ends.
    pub fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (lie, told): (Arc<Mutex<Option<Lie>>>, Arc<Mutex<usize>>) = (Arc::default(), Arc::default());
        let (server, shared, count) = (server.to_owned(), Arc::clone(&lie), Arc::clone(&told));
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let (server, shared, count) = (server.clone(), Arc::clone(&shared), Arc::clone(&count));
                std::thread::spawn(move || pass(near, &server, &shared, &count));
            }
        });
        Self { address, lie, told }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it lies like this.
    pub fn lies(&self, lie: impl Fn(&str, &[u8]) -> Option<Vec<u8>> + Send + 'static) {
        *self.lie.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(lie));
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = 0;
    }

    /// From now on it is honest; how many lies it has told.
    pub fn is_honest(&self) -> usize {
        *self.lie.lock().unwrap_or_else(PoisonError::into_inner) = None;
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One request: both connections are closed after it.
fn pass(mut near: TcpStream, server: &str, lie: &Mutex<Option<Lie>>, told: &Mutex<usize>) {
    let Some((head, begun)) = head_of(&mut near) else { return };
    let line = head.lines().next().unwrap_or_default().to_owned();
    let Ok(mut far) = TcpStream::connect(server) else { return };
    let kept = head.lines().filter(|line| {
        let line = line.to_ascii_lowercase();
        !line.is_empty() && !line.starts_with("connection:") && !line.starts_with("accept-encoding:")
    });
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    if far.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).is_err()
        || far.write_all(&begun).is_err()
    {
        return;
    }
    let (mut from, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
    // The rest of what is sent ends with the connection.
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    let Some((head, begun)) = head_of(&mut far) else { return };
    if head.contains("application/x-ndjson") && line.contains("/events/stream") {
        let _ = near.write_all(head.as_bytes()).and_then(|()| near.write_all(&begun));
        let _ = std::io::copy(&mut far, &mut near);
        return;
    }
    let mut body = begun;
    let _ = far.read_to_end(&mut body);
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        body = unchunked(&body);
    }
    let changed =
        lie.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|lie| lie(&line, &body));
    if let Some(other) = changed {
        body = other;
        *told.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }
    let kept = head.lines().filter(|line| {
        let line = line.to_ascii_lowercase();
        !line.is_empty()
            && !["connection:", "content-length:", "transfer-encoding:"]
                .iter()
                .any(|name| line.starts_with(name))
    });
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    let length = if head.contains(" 204 ") || head.contains(" 304 ") {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let _ = near.write_all(format!("{head}{length}Connection: close\r\n\r\n").as_bytes());
    let _ = near.write_all(&body);
    let _ = near.shutdown(std::net::Shutdown::Both);
}

/// A head with its empty line, and what came with it.
fn head_of(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return Some((String::from_utf8(bytes).unwrap(), rest));
        }
        match stream.read(&mut buffer) {
            Ok(n @ 1..) => bytes.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let length =
            std::str::from_utf8(&body[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(length) = length.filter(|length| *length > 0 && end + 2 + length <= body.len()) else {
            break;
        };
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[(end + 4 + length).min(body.len())..];
    }
    whole
}
