//! Where a registry is reached: a port that takes connections, refuses them, or leaves them without an answer.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::{Shared, connection};

pub(super) enum Port {
    Open(JoinSet<()>),
    /// Bound, so that nobody else gets it, and nobody listens.
    Closed(TcpSocket),
    /// Nobody accepts, and the queue is full: what comes is not even refused.
    Hanging(TcpListener, Vec<JoinSet<()>>),
}

impl Port {
    /// Takes the connections of a listener.
    pub(super) fn open(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.state().connections += 1;
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self::Open(task)
    }

    /// Ends what is there, connections included, and keeps the address.
    pub(super) async fn close(self, address: SocketAddr) -> TcpSocket {
        match self {
            Self::Open(mut task) => task.shutdown().await,
            Self::Closed(socket) => return socket,
            Self::Hanging(listener, mut waiting) => {
                for waiting in &mut waiting {
                    waiting.shutdown().await;
                }
                drop(listener);
            }
        }
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("a socket option");
        socket.bind(address).expect("it was ours a moment ago");
        socket
    }

    /// A port whose queue is full.
    pub(super) fn hang(socket: TcpSocket, address: SocketAddr) -> Self {
        let listener = socket.listen(1).expect("a port");
        // More than the queue holds: the last ones wait for it, as every later one will.
        let waiting = (0..4).map(|_| {
            let mut task = JoinSet::new();
            task.spawn(async move {
                let _stream = TcpStream::connect(address).await;
                std::future::pending::<()>().await;
            });
            task
        });
        Self::Hanging(listener, waiting.collect())
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let acceptor = shared.state().acceptor.clone();
    let Some(acceptor) = acceptor else { return connection::serve(stream, shared).await };
    // A client that refuses the certificate is what some tests are about.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        connection::serve_h2(stream, shared).await;
    } else {
        connection::serve(stream, shared).await;
    }
}
