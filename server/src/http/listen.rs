//! Connections: taken, bounded in number and patience, and drained at the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;

use super::connection::{self, Visit};

/// Most connections at once; more wait in the system's own queue.
const MOST: usize = 4096;
/// Pause after the system had no connection to give (no file descriptor left, say).
const BREATH: Duration = Duration::from_millis(50);
/// Patience with a client until TLS is agreed upon, its silence before included.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Most handshakes at once: they are what costs the processor something before anybody has shown a credential.
const HANDSHAKES: usize = 256;

/// A socket that is listened on.
#[derive(Debug)]
pub struct Door {
    /// The socket.
    pub socket: TcpListener,
    /// TLS, if it is spoken there.
    pub tls: Option<Arc<ServerConfig>>,
}

/// Serves until `stop`, then lets requests under way finish for at most `patience`. Says whether all of them could.
pub async fn serve(
    doors: Vec<Door>,
    router: Router,
    stop: impl Future<Output = ()>,
    patience: Duration,
) -> bool {
    let (ending, ended) = watch::channel(false);
    let connections = TaskTracker::new();
    let house = House {
        router,
        places: Arc::new(Semaphore::new(MOST)),
        handshakes: Arc::new(Semaphore::new(HANDSHAKES)),
        connections: connections.clone(),
        ended,
    };
    let mut taking = JoinSet::new();
    for door in doors {
        taking.spawn(house.clone().take(door));
    }
    drop(house);
    stop.await;
    // Without a receiver there is no connection to be told.
    let _ = ending.send(true);
    while taking.join_next().await.is_some() {}
    connections.close();
    tokio::time::timeout(patience, connections.wait()).await.is_ok()
}

/// What all doors lead into.
#[derive(Clone)]
struct House {
    router: Router,
    places: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    connections: TaskTracker,
    ended: watch::Receiver<bool>,
}

impl House {
    /// Takes connections until the end; nothing that one of them does keeps the next from being taken.
    async fn take(mut self, door: Door) {
        loop {
            let accepted = tokio::select! {
                () = connection::over(&mut self.ended) => return,
                accepted = accept(&door.socket, &self.places) => accepted,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let (house, tls) = (self.clone(), door.tls.clone());
            self.connections.spawn(async move {
                house.receive(stream, peer, tls).await;
                drop(place);
            });
        }
    }

    async fn receive(self, stream: TcpStream, peer: SocketAddr, tls: Option<Arc<ServerConfig>>) {
        let visit = Visit { peer, secure: tls.is_some(), router: self.router.clone() };
        let served = match tls {
            None => connection::http1(stream, visit, self.ended).await,
            Some(tls) => {
                let Some(stream) = self.shake_hands(stream, peer, tls).await else { return };
                if stream.get_ref().1.alpn_protocol() == Some(&b"h2"[..]) {
                    connection::http2(stream, visit, self.ended).await
                } else {
                    connection::http1(stream, visit, self.ended).await
                }
            }
        };
        if let Err(error) = served {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        tls: Arc<ServerConfig>,
    ) -> Option<TlsStream<TcpStream>> {
        let shaken = async {
            // Whoever says nothing takes no place from those who do.
            stream.readable().await?;
            let _place = self.handshakes.acquire().await.map_err(std::io::Error::other)?;
            TlsAcceptor::from(tls).accept(stream).await
        };
        let mut ended = self.ended.clone();
        let shaken = tokio::select! {
            () = connection::over(&mut ended) => return None,
            shaken = tokio::time::timeout(HANDSHAKE_WITHIN, shaken) => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "no TLS could be agreed upon");
                None
            }
            Err(_) => {
                tracing::debug!(%peer, "no TLS was agreed upon in time");
                None
            }
        }
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Small answers are not held back to be sent together with later ones.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, place))
        }
        Err(error) => {
            tracing::warn!(%error, "no connection could be taken");
            tokio::time::sleep(BREATH).await;
            None
        }
    }
}
