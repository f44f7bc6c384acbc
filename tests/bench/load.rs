//! The load of `tests/bench/run`: one small request again and again over so many connections that stay open, for so long.
//!
//! usage: `holdfast-load ADDRESS CONNECTIONS SECONDS METHOD PATH COUNT BYTES [HEADER]...`
//!
//! `{}` in PATH is a number. With COUNT it goes through 0..COUNT in a scattered order, each once before any comes again;
//! with COUNT 0 every request has a new one. BYTES is how much body each brings. Prints one line of JSON: how many
//! answers were good (2xx) and bad, connections that broke, the seconds, and waits in milliseconds (median, 99 %, longest).

use std::io::{BufRead as _, BufReader, Read as _, Result, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What every connection does.
struct Task {
    address: String,
    method: String,
    path: String,
    count: u64,
    body: Vec<u8>,
    headers: String,
    end: Instant,
    next: AtomicU64,
}

/// What one connection has seen.
#[derive(Default)]
struct Seen {
    good: u64,
    bad: u64,
    broken: u64,
    waits: Vec<Duration>,
}

impl Task {
    fn read(arguments: &[String]) -> Option<(Self, usize, Duration)> {
        let [address, connections, seconds, method, path, count, bytes, headers @ ..] = arguments else {
            return None;
        };
        let lasts = Duration::from_secs_f64(seconds.parse().ok()?);
        let task = Self {
            address: address.clone(),
            method: method.clone(),
            path: path.clone(),
            count: count.parse().ok()?,
            body: (0..bytes.parse::<usize>().ok()?).map(|n| (n * 31 % 251) as u8).collect(),
            headers: headers.iter().map(|header| format!("{header}\r\n")).collect(),
            end: Instant::now() + lasts,
            next: AtomicU64::new(0),
        };
        Some((task, connections.parse().ok()?, lasts))
    }

    /// The next number: a stride that has no divisor in common with the count visits all.
    fn number(&self) -> u64 {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        if self.count == 0 {
            return next;
        }
        let stride = (7919..).find(|stride| common_divisor(*stride, self.count) == 1).unwrap_or(1);
        next.wrapping_mul(stride) % self.count
    }

    fn request(&self, into: &mut Vec<u8>) {
        let path = self.path.replace("{}", &format!("{:05}", self.number()));
        into.clear();
        into.extend_from_slice(
            format!("{} {path} HTTP/1.1\r\nHost: {}\r\n{}", self.method, self.address, self.headers)
                .as_bytes(),
        );
        if !self.body.is_empty() {
            into.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        into.extend_from_slice(b"\r\n");
        into.extend_from_slice(&self.body);
    }

    /// Works on one connection after the other until the time is over.
    fn work(&self) -> Seen {
        let mut seen = Seen::default();
        while Instant::now() < self.end {
            if self.connection(&mut seen).is_err() {
                seen.broken += 1;
                // A server that takes no connections is not asked a million times.
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        seen
    }

    fn connection(&self, seen: &mut Seen) -> Result<()> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut reader = BufReader::with_capacity(64 * 1024, stream.try_clone()?);
        let mut request = Vec::new();
        while Instant::now() < self.end {
            self.request(&mut request);
            let began = Instant::now();
            stream.write_all(&request)?;
            let (status, stays) = answer(&mut reader)?;
            seen.waits.push(began.elapsed());
            if (200..300).contains(&status) {
                seen.good += 1;
            } else {
                seen.bad += 1;
            }
            if !stays {
                break;
            }
        }
        Ok(())
    }
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// Reads an answer to its end: its status, and whether the connection stays open (RFC 9112, sections 6 and 9).
fn answer(reader: &mut BufReader<TcpStream>) -> Result<(u16, bool)> {
    let broken = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let status = line.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or_else(broken)?;
    let (mut length, mut chunked, mut stays) = (None, false, true);
    loop {
        line.clear();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(broken)?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok();
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
            stays = false;
        }
    }
    if chunked {
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim(), 16).map_err(|_| broken())?;
            skip(reader, size + 2)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = length {
        skip(reader, length)?;
    } else if status != 204 {
        return Err(broken());
    }
    Ok((status, stays))
}

fn skip(reader: &mut BufReader<TcpStream>, bytes: u64) -> Result<()> {
    let read = std::io::copy(&mut reader.by_ref().take(bytes), &mut std::io::sink())?;
    if read == bytes { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((task, connections, lasts)) = Task::read(&arguments) else {
        eprintln!("usage: holdfast-load ADDRESS CONNECTIONS SECONDS METHOD PATH COUNT BYTES [HEADER]...");
        return std::process::ExitCode::from(2);
    };
    let task = Arc::new(task);
    let threads: Vec<_> = (0..connections)
        .map(|_| {
            let task = Arc::clone(&task);
            std::thread::spawn(move || task.work())
        })
        .collect();
    let mut all = Seen::default();
    for seen in threads.into_iter().filter_map(|thread| thread.join().ok()) {
        all.good += seen.good;
        all.bad += seen.bad;
        all.broken += seen.broken;
        all.waits.extend(seen.waits);
    }
    // What was under way at the end was waited for, and is part of the time.
    let seconds = (lasts + task.end.elapsed()).as_secs_f64();
    all.waits.sort_unstable();
    let wait = |part: f64| {
        let at = (all.waits.len() as f64 * part) as usize;
        all.waits.get(at.min(all.waits.len().saturating_sub(1))).map_or(0.0, |wait| wait.as_secs_f64() * 1e3)
    };
    println!(
        r#"{{"good": {}, "bad": {}, "broken": {}, "seconds": {seconds:.4}, "median_ms": {:.3}, "p99_ms": {:.3}, "longest_ms": {:.3}}}"#,
        all.good,
        all.bad,
        all.broken,
        wait(0.5),
        wait(0.99),
        wait(1.0)
    );
    std::process::ExitCode::SUCCESS
}
