use super::super::super::limits::Limits;
use super::super::load::{Load, Share};
use super::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{sleep, timeout};

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn timed(protocol: Protocol) -> (DuplexStream, Arc<Activity>, Timed<DuplexStream>) {
    timed_under(&Arc::new(Load::new(&Limits::default())), protocol)
}

fn timed_under(load: &Arc<Load>, protocol: Protocol) -> (DuplexStream, Arc<Activity>, Timed<DuplexStream>) {
    let (peer, stream) = duplex(64);
    let activity = Activity::new(Share::of(Arc::clone(load)), None);
    let timed = Timed::new(stream, protocol, Arc::clone(&activity), Deadlines::default());
    (peer, activity, timed)
}

/// Reads until nothing comes for two minutes, or the stream gives up; says after how many seconds it did.
async fn gives_up_after(stream: &mut Timed<DuplexStream>) -> Option<u64> {
    let started = Instant::now();
    let mut buffer = [0; 64];
    loop {
        match timeout(Duration::from_mins(2), stream.read(&mut buffer)).await {
            Err(_) => return None,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                return Some(started.elapsed().as_secs());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_has_so_long_from_its_first_byte_however_it_drips() {
    let (mut peer, _activity, mut stream) = timed(Protocol::Http1);
    assert_eq!(gives_up_after(&mut stream).await, None, "nothing has begun");
    let drip = async {
        loop {
            peer.write_all(b"G").await.expect("it reads");
            sleep(Duration::from_secs(2)).await;
        }
    };
    tokio::select! {
        () = drip => {}
        seconds = gives_up_after(&mut stream) => assert_eq!(seconds, Some(10)),
    }
}

#[tokio::test(start_paused = true)]
async fn blank_lines_before_a_request_are_a_head_too() {
    let (mut peer, _activity, mut stream) = timed(Protocol::Http1);
    peer.write_all(b"\r\n\r\n").await.expect("room");
    assert_eq!(gives_up_after(&mut stream).await, Some(10));
}

#[tokio::test(start_paused = true)]
async fn between_requests_no_deadline_is_set_and_within_the_next_one_there_is() {
    let (mut peer, activity, mut stream) = timed(Protocol::Http1);
    let mut buffer = [0; 64];
    for _ in 0..3 {
        peer.write_all(HEAD).await.expect("room");
        let read = stream.read(&mut buffer).await.expect("a request");
        assert_eq!(buffer.get(..read), Some(HEAD));
        let answer = activity.begin();
        assert_eq!(gives_up_after(&mut stream).await, None, "the request is being answered");
        drop(answer);
        assert_eq!(gives_up_after(&mut stream).await, None, "the connection is idle");
        assert!(stream.alarm.0.is_none(), "and has no timer");
    }
    peer.write_all(&HEAD[..9]).await.expect("room");
    assert_eq!(gives_up_after(&mut stream).await, Some(10));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_begins_behind_another_one_has_its_deadline() {
    let (mut peer, activity, mut stream) = timed(Protocol::Http1);
    peer.write_all(&[HEAD, b"GET"].concat()).await.expect("room");
    stream.read_exact(&mut [0; HEAD.len() + 3]).await.expect("a request and more");
    drop(activity.begin());
    assert_eq!(gives_up_after(&mut stream).await, Some(10));
}

#[tokio::test(start_paused = true)]
async fn http2_has_no_heads() {
    let (mut peer, _activity, mut stream) = timed(Protocol::Http2);
    peer.write_all(b"\0\0\x10").await.expect("room");
    assert_eq!(gives_up_after(&mut stream).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up_and_one_that_is_slow_is_not() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (mut peer, _activity, mut stream) = timed(protocol);
        let started = Instant::now();
        let reader = async {
            for _ in 0..10 {
                sleep(Duration::from_secs(25)).await;
                peer.read_exact(&mut [0; 16]).await.expect("an answer");
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = reader => {}
            written = stream.write_all(&[0; 1024]) => {
                assert_eq!(written.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
            }
        }
        assert_eq!(started.elapsed().as_secs(), 280, "30 s after it last took something");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up_soon_where_others_find_no_room() {
    let load = Arc::new(Load::new(&Limits::default()));
    let (_peer, _activity, mut stream) = timed_under(&load, Protocol::Http1);
    let (started, share) = (Instant::now(), || Share::of(Arc::clone(&load)));
    let shortage = async {
        sleep(Duration::from_secs(9)).await;
        let all = share().admit(u64::MAX).expect("it goes alone");
        assert!(share().admit(1).is_none());
        drop(all);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // In this order: otherwise it may be looked at again in the very moment of the shortage.
        biased;
        written = stream.write_all(&[0; 1024]) => {
            assert_eq!(written.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        }
        () = shortage => {}
    }
    assert_eq!(started.elapsed().as_secs(), 10, "when it is looked at again");
}

#[tokio::test(start_paused = true)]
async fn what_was_left_unread_is_read_before_the_end_within_bounds() {
    let (mut peer, activity, mut stream) = timed(Protocol::Http1);
    activity.leave_body();
    let started = Instant::now();
    let sender = async {
        for _ in 0..100 {
            peer.write_all(&[0; 64]).await.expect("it reads");
        }
        drop(peer);
    };
    let (closed, ()) = tokio::join!(stream.shutdown(), sender);
    closed.expect("a good end");
    assert_eq!(started.elapsed(), Duration::ZERO, "it ends with the client");

    let (_silent, activity, mut stream) = timed(Protocol::Http1);
    activity.leave_body();
    stream.shutdown().await.expect("a good end");
    assert_eq!(started.elapsed().as_secs(), 1, "a client that does not end is not waited for");

    let (_idle, _activity, mut stream) = timed(Protocol::Http1);
    stream.shutdown().await.expect("a good end");
    assert_eq!(started.elapsed().as_secs(), 1, "where nothing is left, nothing is waited for");
}

#[tokio::test(start_paused = true)]
async fn what_is_given_again_comes_once_more_and_counts_once() {
    let (mut peer, _activity, mut stream) = timed(Protocol::Http1);
    // The bare end of a line is made refusable once; the deadline is that of the first byte.
    peer.write_all(b"GET /\nHost").await.expect("room");
    let mut first = [0; 10];
    stream.read_exact(&mut first).await.expect("it came");
    assert_eq!(&first, b"GET /\0Host");
    stream.give_again(&first);
    let mut again = [0; 4];
    stream.read_exact(&mut again).await.expect("it is there");
    assert_eq!(&again, b"GET ");
    assert_eq!(gives_up_after(&mut stream).await, Some(10));
}
