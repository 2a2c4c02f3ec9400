//! A body as it is sent: whole, in memory; or, of the feed of changes alone, part by part as parts come to be.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Frame, SizeHint};

/// The most bytes of a part of a stream, and so what a stream takes of memory; see `changes::stream`.
pub(super) const MAX_PART_BYTES: usize = 32 << 10;

/// A body.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Whole(Full<Bytes>),
    /// What comes to be.
    Stream(Stream),
}

/// The next part of a stream, and what makes those after it; none at the end.
pub(super) type Part = Pin<Box<dyn Future<Output = Option<(Bytes, Box<dyn Source>)>> + Send>>;

/// What makes the parts of a stream. It makes one when somebody takes it, and waits where there is nothing to say.
pub(super) trait Source: Send {
    /// Makes the next part.
    fn next_part(self: Box<Self>) -> Part;
}

/// A body that is made while it is sent.
pub struct Stream {
    part: Option<Part>,
    /// What ends it from outside.
    ending: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl Body {
    /// A body that is there.
    pub(super) fn new(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }

    /// A body that is made while it is sent.
    pub(super) fn stream(source: Box<dyn Source>) -> Self {
        Self::Stream(Stream { part: Some(source.next_part()), ending: None })
    }

    /// How many bytes of memory it takes, at most, until it is sent.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Self::Whole(whole) => whole.size_hint().exact().unwrap_or_default(),
            Self::Stream(_) => MAX_PART_BYTES as u64,
        }
    }

    /// The same, ended by this where it would go on.
    pub(super) fn until<F: Future<Output = ()> + Send + 'static>(self, ending: impl FnOnce() -> F) -> Self {
        match self {
            Self::Whole(whole) => Self::Whole(whole),
            Self::Stream(stream) => Self::Stream(Stream { ending: Some(Box::pin(ending())), ..stream }),
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context),
            Self::Stream(stream) => stream.poll_part(context).map(|part| part.map(|part| Ok(Frame::data(part)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Stream(stream) => stream.part.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Stream(_) => SizeHint::new(),
        }
    }
}

impl Stream {
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ending.as_mut().is_some_and(|ending| ending.as_mut().poll(context).is_ready()) {
            (self.part, self.ending) = (None, None);
        }
        let Some(part) = &mut self.part else { return Poll::Ready(None) };
        let (bytes, source) = ready!(part.as_mut().poll(context)).unzip();
        self.part = source.map(Source::next_part);
        Poll::Ready(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use tokio::sync::oneshot;

    /// Counts down, and then waits for ever.
    struct Countdown(u8);

    impl Source for Countdown {
        fn next_part(self: Box<Self>) -> Part {
            Box::pin(async move {
                let Some(next) = self.0.checked_sub(1) else { std::future::pending().await };
                Some((Bytes::from(vec![b'0' + self.0]), Box::new(Self(next)) as Box<dyn Source>))
            })
        }
    }

    #[tokio::test]
    async fn a_stream_gives_its_parts_one_by_one_and_ends_when_it_is_told_to() {
        let (end, ended) = oneshot::channel::<()>();
        let mut body = Body::stream(Box::new(Countdown(2))).until(|| async { drop(ended.await) });
        assert_eq!((body.weight(), body.size_hint().exact()), (MAX_PART_BYTES as u64, None));
        for expected in ["2", "1"] {
            let part = body.frame().await.expect("a part").expect("no error").into_data().expect("data");
            assert_eq!(part, expected);
        }
        let rest = async { body.frame().await.is_none() };
        let (is_over, ()) = tokio::join!(rest, async { drop(end) });
        assert!(is_over && body.is_end_stream());
    }

    #[tokio::test]
    async fn what_is_there_is_sent_whole() {
        let body = Body::new(Bytes::from_static(b"all")).until(|| async {});
        assert_eq!((body.weight(), body.size_hint().exact()), (3, Some(3)));
        assert_eq!(body.collect().await.expect("no error").to_bytes(), "all");
    }
}
