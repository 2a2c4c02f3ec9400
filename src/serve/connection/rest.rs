//! Waiting for a peer to send something, with no buffer to hold it.

use std::io::Result;
use std::task::{Context, Poll};

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What can tell that there is something to be read, or that the peer has ended.
pub(super) trait Readable {
    /// Ready when a read would not have to wait. Only where the last one had to: what a stream has read ahead by then,
    /// it has given.
    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<Result<()>>;
}

impl Readable for TcpStream {
    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_read_ready(context)
    }
}

impl<S: Readable> Readable for TlsStream<S> {
    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().0.poll_readable(context)
    }
}
