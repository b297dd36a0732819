//! The listening side of HTTP: how many connections there may be, and how long a client may take
//! to say what it wants.

use core::future::Future;
use core::pin::pin;
use core::time::Duration;
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Bounds of the HTTP side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Open connections; more wait until one has ended.
    pub(crate) connections: usize,
    /// How long the head of a request may take, from the beginning of the connection or the end of
    /// the request before. A connection on which nothing comes ends with it.
    pub(crate) head: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 1024,
            head: Duration::from_secs(20),
        }
    }
}

/// Serves until `shutdown` is ready, and then what has begun.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            () = &mut shutdown => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files, say: others may end soon.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP connection has failed");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    const PATIENCE: Duration = Duration::from_secs(20);

    async fn start(bounds: Bounds) -> (std::net::SocketAddr, oneshot::Sender<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().route("/", get(async || "here"));
        tokio::spawn(serve(listener, router, bounds, async {
            let _ = stopped.await;
        }));
        (address, stop)
    }

    async fn answer(mut stream: TcpStream) -> String {
        let mut text = String::new();
        let read = timeout(PATIENCE, stream.read_to_string(&mut text)).await;
        read.expect("in time").expect("an end");
        text
    }

    #[tokio::test]
    async fn whoever_does_not_say_what_he_wants_is_cut_off() {
        let bounds = Bounds {
            head: Duration::from_millis(50),
            ..Bounds::default()
        };
        let (address, _stop) = start(bounds).await;
        for beginning in [&b""[..], b"GET / HTTP/1.1\r\nhost: a\r\nx-slow:"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(beginning).await.unwrap();
            let text = answer(stream).await;
            assert!(!text.contains("here"), "{text}");
        }
    }

    #[tokio::test]
    async fn more_connections_than_allowed_wait_for_their_turn() {
        let bounds = Bounds {
            connections: 1,
            ..Bounds::default()
        };
        let (address, _stop) = start(bounds).await;
        let first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(REQUEST).await.unwrap();
        let mut byte = [0];
        let waits = timeout(Duration::from_millis(200), second.read(&mut byte)).await;
        assert!(waits.is_err(), "it is not its turn");
        drop(first);
        let text = answer(second).await;
        assert!(text.ends_with("here"), "{text}");
    }

    #[tokio::test]
    async fn a_shutdown_ends_idle_connections_and_takes_no_more() {
        let (address, stop) = start(Bounds::default()).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        first
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        let mut head = [0; 15];
        first.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        stop.send(()).unwrap();
        assert!(answer(first).await.ends_with("here"));
        assert!(TcpStream::connect(address).await.is_err());
    }
}
