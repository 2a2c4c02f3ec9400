//! Closing so that the last answer arrives: a socket that is closed with bytes unread resets the
//! connection, and takes from the client what it has not read yet.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

use super::timed::Alarm;

/// How much of what a client still sends is read and thrown away.
pub(super) const MAX_LINGER_BYTES: usize = 4 << 20;
/// How much of it at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// The reading after our last byte: until the client closes too, or has sent or waited enough.
#[derive(Debug)]
pub(super) struct Linger {
    expects_more: bool,
    until: Instant,
    left: usize,
}

impl Linger {
    /// With nothing expected, only what has come already is read.
    pub(super) fn new(expects_more: bool, until: Instant) -> Self {
        Self { expects_more, until, left: MAX_LINGER_BYTES }
    }

    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut S,
        alarm: &mut Alarm,
    ) -> Poll<()> {
        while self.left > 0 {
            let mut chunk = [0; CHUNK_BYTES];
            let mut buffer = ReadBuf::new(&mut chunk);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.expects_more = true;
                    self.left = self.left.saturating_sub(buffer.filled().len());
                }
                Poll::Pending if self.expects_more => return alarm.poll_at(context, self.until),
                _ => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }
}
