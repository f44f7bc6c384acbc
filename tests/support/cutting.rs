//! A connection that is cut: a small proxy in front of a server, which ends connections after so many bytes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A proxy that cuts.
#[derive(Debug, Clone)]
pub struct Cutting {
    url: String,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    target: Mutex<String>,
    /// Where connections are cut, counted in all bytes that clients have sent.
    cuts: Mutex<VecDeque<u64>>,
    sent: AtomicU64,
}

impl Cutting {
    /// In front of a server at `host:port`.
    ///
    /// # Panics
    /// When no port is free.
    #[expect(clippy::expect_used, reason = "a test without its proxy can only fail")]
    pub async fn before(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url =
            format!("http://{}", listener.local_addr().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))));
        let inner = Arc::new(Inner {
            target: Mutex::new(target.to_owned()),
            cuts: Mutex::default(),
            sent: AtomicU64::new(0),
        });
        let shared = Arc::clone(&inner);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&shared).serve(client));
            }
        });
        Self { url, inner }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on in front of another server.
    pub fn lead_to(&self, target: &str) {
        target.clone_into(&mut self.inner.target.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Bytes that clients have sent, as far as the proxy took them.
    pub fn sent(&self) -> u64 {
        self.inner.sent.load(Ordering::Relaxed)
    }

    /// Cuts whatever connection sends the byte at each of these places, counted from now on.
    pub fn cut_at(&self, places: impl IntoIterator<Item = u64>) {
        let from = self.sent();
        let mut cuts = self.inner.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        *cuts = places.into_iter().map(|place| from + place).collect();
    }

    /// Cuts that are still to come.
    pub fn cuts_left(&self) -> usize {
        self.inner.cuts.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Inner {
    async fn serve(self: Arc<Self>, client: TcpStream) {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Ok(server) = TcpStream::connect(target).await else { return };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let cut = Arc::new(Notify::new());
        let answers = async {
            tokio::select! {
                copied = tokio::io::copy(&mut from_server, &mut to_client) => drop(copied),
                () = cut.notified() => {}
            }
        };
        let requests = async {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(read) = from_client.read(&mut buffer).await {
                if read == 0 {
                    break;
                }
                let (passed, is_cut) = self.pass(read);
                if to_server.write_all(&buffer[..passed]).await.is_err() {
                    break;
                }
                if is_cut {
                    cut.notify_one();
                    break;
                }
            }
            let _ = to_server.shutdown().await;
        };
        tokio::join!(answers, requests);
    }

    /// How many of the next bytes go on, and whether the connection ends there.
    fn pass(&self, bytes: usize) -> (usize, bool) {
        let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        match cuts.front() {
            Some(&cut) if cut < before + bytes as u64 => {
                cuts.pop_front();
                (usize::try_from(cut.saturating_sub(before)).unwrap_or(0), true)
            }
            _ => (bytes, false),
        }
    }
}
