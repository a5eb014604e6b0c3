//! The connections of clients: how many there may be, and for how long one may ask nothing.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a connection may take until it has sent the head of its first request, or of its next one.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// How many connections there are at most, however many files the process may open.
const MOST: u64 = 1024;

/// How long nothing is accepted after a connection that could not be.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers by `router`, which finds the client's address as `ConnectInfo<SocketAddr>`, until `told` is ready, and then what
/// was asked until then.
///
/// Clients beyond the most that there may be wait, in the queue of the kernel, until others have gone.
pub(super) async fn serve(listener: TcpListener, router: Router, told: impl Future<Output = ()>) {
    let mut told = pin!(told);
    let mut door = Door::new(listener);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN);
    let open = GracefulShutdown::new();
    loop {
        let (stream, peer, place) = tokio::select! {
            () = &mut told => break,
            accepted = door.accept() => accepted,
        };
        let router = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.call(request)
        });
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(door);
    open.shutdown().await;
}

/// Where connections come in.
struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    /// Whether the newest one could not be accepted, which has been logged.
    is_stuck: bool,
}

impl Door {
    fn new(listener: TcpListener) -> Self {
        // The other half is the host's: its plugins, their servers, the manifest, the admin socket.
        let half = getrlimit(Resource::Nofile)
            .current
            .map_or(MOST, |files| files / 2);
        let most = usize::try_from(half.clamp(1, MOST)).expect("at most 1,024");
        Self {
            listener,
            places: Arc::new(Semaphore::new(most)),
            is_stuck: false,
        }
    }

    /// The next connection, with the place that it takes. Nothing is lost if this is dropped before.
    async fn accept(&mut self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.expect("it is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    if self.is_stuck {
                        tracing::info!("connections are accepted again");
                        self.is_stuck = false;
                    }
                    return (stream, peer, place);
                }
                // The client has gone meanwhile.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if !self.is_stuck {
                        tracing::warn!(
                            "connections cannot be accepted: {error}; it is tried again every {PAUSE:?}"
                        );
                        self.is_stuck = true;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
