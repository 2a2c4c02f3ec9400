//! What HTTP/2 writes, gathered. Hyper writes every frame by itself, and each write is a call into the kernel, a segment
//! and perhaps a wake-up of the client. Here what one turn of a connection writes becomes one write, or a few.
//!
//! A flush is only noted: whoever gives a connection its turn sends what came together ([`Outgoing::poll_send`]) before
//! the turn ends. So nothing waits for longer than for what is there already.

use std::future::poll_fn;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::unconstrained;

/// How much is gathered: about what the kernel takes at once.
const MAX_BYTES: usize = 64 << 10;
/// What is made room for when something begins to gather: more than most turns write, or all that they can.
const FEW_BYTES: usize = 4 << 10;

/// A stream whose writes are gathered.
#[derive(Debug)]
pub(super) struct Gathered<S>(Arc<Mutex<Gathering<S>>>);

/// What has been gathered, for who sends it. Both are used by one task alone.
#[derive(Debug)]
pub(super) struct Outgoing<S>(Arc<Mutex<Gathering<S>>>);

#[derive(Debug)]
struct Gathering<S> {
    stream: S,
    bytes: Vec<u8>,
    /// How much of that the stream has taken.
    sent: usize,
    /// Whether the stream was flushed since it last took something.
    is_flushed: bool,
    /// Why it takes nothing any more, until somebody is told.
    broken: Option<Error>,
}

/// A stream that gathers, and what sends what it has gathered.
pub(super) fn gathered<S>(stream: S) -> (Gathered<S>, Outgoing<S>) {
    let gathering = Gathering { stream, bytes: Vec::new(), sent: 0, is_flushed: true, broken: None };
    let gathering = Arc::new(Mutex::new(gathering));
    (Gathered(Arc::clone(&gathering)), Outgoing(gathering))
}

fn locked<S>(gathering: &Mutex<Gathering<S>>) -> MutexGuard<'_, Gathering<S>> {
    gathering.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncWrite + Unpin> Outgoing<S> {
    /// Sends what was gathered; ready when there is nothing left. An error is told to who writes next, or reads.
    pub(super) fn poll_send(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut gathering = locked(&self.0);
        // However much else its task has done: a socket that has room would look as if it had none.
        let mut sending = unconstrained(poll_fn(|context| gathering.poll_send(context)));
        let sent = ready!(Pin::new(&mut sending).poll(context));
        if let Err(error) = sent {
            gathering.broken = Some(error);
            context.waker().wake_by_ref();
        }
        Poll::Ready(())
    }
}

impl<S> Gathering<S> {
    fn gather(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.is_flushed = false;
    }

    /// Says once why the stream takes nothing any more.
    fn check(&mut self) -> Result<()> {
        self.broken.take().map_or(Ok(()), Err)
    }
}

impl<S: AsyncWrite + Unpin> Gathering<S> {
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        while self.sent < self.bytes.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(context, &self.bytes[self.sent..]))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        // Not kept: most connections are idle for most of their time.
        (self.bytes, self.sent) = (Vec::new(), 0);
        if !self.is_flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Makes room for so many bytes, or for some of them at least.
    fn poll_room(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<Result<usize>> {
        self.check()?;
        if self.bytes.len() >= MAX_BYTES {
            ready!(self.poll_send(context))?;
        }
        let room = wanted.min(MAX_BYTES - self.bytes.len());
        if self.bytes.capacity() < self.bytes.len() + room {
            let most = if wanted < FEW_BYTES && self.bytes.is_empty() { FEW_BYTES } else { MAX_BYTES };
            self.bytes.reserve_exact(most - self.bytes.len());
        }
        Poll::Ready(Ok(room))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let mut gathering = locked(&self.0);
        gathering.check()?;
        Pin::new(&mut gathering.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let mut gathering = locked(&self.0);
        let room = ready!(gathering.poll_room(context, bytes.len()))?;
        gathering.gather(&bytes[..room]);
        Poll::Ready(Ok(room))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let mut gathering = locked(&self.0);
        let room = ready!(gathering.poll_room(context, slices.iter().map(|slice| slice.len()).sum()))?;
        let mut left = room;
        for slice in slices {
            let part = left.min(slice.len());
            gathering.gather(&slice[..part]);
            left -= part;
        }
        Poll::Ready(Ok(room))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(locked(&self.0).check())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let mut gathering = locked(&self.0);
        gathering.check()?;
        ready!(gathering.poll_send(context))?;
        Pin::new(&mut gathering.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
impl<S> Gathered<S> {
    /// The stream, when nobody sends any more.
    pub(super) fn into_inner(self) -> S {
        let gathering = Arc::into_inner(self.0).expect("nobody else has it");
        gathering.into_inner().unwrap_or_else(PoisonError::into_inner).stream
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// Takes so much at a time, and waits until it has room again.
    #[derive(Debug, Default)]
    struct Socket {
        writes: Vec<Vec<u8>>,
        flushes: usize,
        room: usize,
        is_broken: bool,
    }

    impl AsyncRead for Socket {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Socket {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
            if self.is_broken {
                return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
            }
            let taken = self.room.min(bytes.len());
            if taken == 0 {
                return Poll::Pending;
            }
            self.room -= taken;
            self.writes.push(bytes[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            self.flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn with_room(room: usize) -> (Gathered<Socket>, Outgoing<Socket>) {
        gathered(Socket { room, ..Socket::default() })
    }

    /// What `poll` says when it is asked once.
    async fn once<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        poll_fn(|context| Poll::Ready(poll(context))).await
    }

    #[tokio::test]
    async fn what_is_written_in_one_turn_leaves_in_one_write() {
        let (mut stream, outgoing) = with_room(usize::MAX);
        for part in [&b"one "[..], b"two "] {
            stream.write_all(part).await.expect("it is gathered");
            stream.flush().await.expect("it is noted");
        }
        let slices = [IoSlice::new(b"thr"), IoSlice::new(b"ee")];
        assert_eq!(stream.write_vectored(&slices).await.expect("it is gathered"), 5);
        assert!(locked(&outgoing.0).stream.writes.is_empty());
        assert!(once(|context| outgoing.poll_send(context)).await.is_ready());
        let sent = locked(&outgoing.0);
        assert_eq!((&*sent.stream.writes, sent.stream.flushes), (&[b"one two three".to_vec()][..], 1));
        assert_eq!(sent.bytes.capacity(), 0, "nothing is held");
    }

    #[tokio::test]
    async fn who_takes_little_is_waited_for_and_gets_all_in_order() {
        let (mut stream, outgoing) = with_room(10);
        let all: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let mut written = 0;
        while written < all.len() {
            match once(|context| Pin::new(&mut stream).poll_write(context, &all[written..])).await {
                Poll::Ready(taken) => written += taken.expect("it is gathered"),
                Poll::Pending => locked(&outgoing.0).stream.room += 7_000,
            }
            assert!(locked(&outgoing.0).bytes.len() <= MAX_BYTES);
        }
        while once(|context| outgoing.poll_send(context)).await.is_pending() {
            locked(&outgoing.0).stream.room += 7_000;
        }
        assert_eq!(locked(&outgoing.0).stream.writes.concat(), all);
    }

    #[tokio::test]
    async fn that_a_stream_is_broken_is_told_to_who_uses_it_next() {
        let (mut stream, outgoing) = with_room(0);
        stream.write_all(b"lost").await.expect("it is gathered");
        locked(&outgoing.0).stream.is_broken = true;
        assert!(once(|context| outgoing.poll_send(context)).await.is_ready());
        let told = stream.flush().await.expect_err("it is told");
        assert_eq!(told.kind(), ErrorKind::BrokenPipe);
        assert!(once(|context| outgoing.poll_send(context)).await.is_ready());
        assert!(stream.write(b"more").await.is_err());
    }

    #[tokio::test]
    async fn at_the_end_everything_is_sent() {
        let (mut stream, outgoing) = with_room(usize::MAX);
        stream.write_all(b"goodbye").await.expect("it is gathered");
        stream.shutdown().await.expect("it ends");
        assert_eq!(locked(&outgoing.0).stream.writes, [b"goodbye".to_vec()]);
    }
}
