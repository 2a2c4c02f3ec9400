//! Which HTTP a connection speaks: its first bytes tell, and are given back.

use std::io::Result;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::rest::Readable;

/// What a client that knows that we speak HTTP/2 begins with (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Reads until it is certain whether the preface of HTTP/2 comes. The caller bounds how long that takes.
pub(super) async fn sniff<S: AsyncRead + Unpin>(mut stream: S) -> Result<(Protocol, Rewound<S>)> {
    let mut start = [0; PREFACE.len()];
    let mut length = 0;
    while length < PREFACE.len() && PREFACE.starts_with(&start[..length]) {
        match stream.read(&mut start[length..]).await? {
            0 => break,
            read => length += read,
        }
    }
    let protocol = if start == *PREFACE { Protocol::Http2 } else { Protocol::Http1 };
    Ok((protocol, Rewound { start, given: 0, length, stream }))
}

/// A stream whose first bytes were read and come once more.
#[derive(Debug)]
pub(super) struct Rewound<S> {
    start: [u8; PREFACE.len()],
    given: usize,
    length: usize,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if self.given == self.length {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let end = self.length.min(self.given + buffer.remaining());
        buffer.put_slice(&self.start[self.given..end]);
        self.given = end;
        Poll::Ready(Ok(()))
    }
}

impl<S: Readable> Readable for Rewound<S> {
    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.given == self.length { self.stream.poll_readable(context) } else { Poll::Ready(Ok(())) }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sniffed(bytes: &[u8]) -> (Protocol, Vec<u8>) {
        let (protocol, mut stream) = sniff(bytes).await.expect("bytes can be read");
        let mut given_back = Vec::new();
        stream.read_to_end(&mut given_back).await.expect("bytes can be read");
        (protocol, given_back)
    }

    #[tokio::test]
    async fn only_the_whole_preface_means_http2_and_every_byte_comes_back() {
        let after_preface = [PREFACE, &b"\0\0\0\x04\0\0\0\0\0"[..]].concat();
        assert_eq!(sniffed(&after_preface).await, (Protocol::Http2, after_preface.clone()));
        let request = &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..];
        let almost = &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r!"[..];
        for bytes in [&b""[..], b"P", b"POST / HTTP/1.1\r\n", request, &PREFACE[..23], almost] {
            assert_eq!(sniffed(bytes).await, (Protocol::Http1, bytes.to_vec()));
        }
    }
}
