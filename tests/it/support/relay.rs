//! An address that leads to another one: a proxy that is not running yet, or that runs anew elsewhere.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Runs until it is dropped. As long as it leads nowhere, connections are closed.
pub(crate) struct Relay {
    address: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
    _task: JoinSet<()>,
}

impl Relay {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let target = Arc::new(Mutex::new(None));
        let followed = Arc::clone(&target);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let target = *followed.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(target) = target {
                    connections.spawn(join(stream, target));
                }
            }
        });
        Self { address, target, _task: task }
    }

    /// The list endpoint behind it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/v0.1/servers", self.address)
    }

    /// Leads new connections there from now on.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }
}

async fn join(mut near: TcpStream, target: SocketAddr) {
    if let Ok(mut far) = TcpStream::connect(target).await {
        // How it ends, both ends see for themselves.
        let _ = copy_bidirectional(&mut near, &mut far).await;
    }
}
