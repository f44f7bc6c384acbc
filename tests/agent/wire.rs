//! A wire between devices and a server that can be cut: connections break in the middle of whatever they carry.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// Passes on what goes through it, until it is cut.
pub struct Wire {
    address: String,
    live: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    /// A wire to an address such as `127.0.0.1:8000`. It is there until the test ends.
    pub fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let live = Arc::new(Mutex::new(Vec::new()));
        let (server, all) = (server.to_owned(), Arc::clone(&live));
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // While the server is away, so is the wire.
                let Ok(far) = TcpStream::connect(&server) else { continue };
                let ends = [near.try_clone().unwrap(), far.try_clone().unwrap()];
                all.lock().unwrap_or_else(PoisonError::into_inner).extend(ends);
                let (back_from, back_to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                std::thread::spawn(move || pass(near, far));
                std::thread::spawn(move || pass(back_from, back_to));
            }
        });
        Self { address, live }
    }

    /// Where it begins.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks all connections; new ones come about.
    pub fn cut(&self) {
        for end in self.live.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
