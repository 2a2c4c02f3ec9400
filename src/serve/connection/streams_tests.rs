use hyper::rt::Executor as _;
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use super::super::super::limits::Limits;
use super::super::gathered::gathered;
use super::super::load::Load;
use super::*;

/// A connection with streams and nothing else, until all of these have ended.
async fn answer(load: &Arc<Load>, answers: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>) {
    let (streams, (_, outgoing)) = (Streams::new(), gathered(tokio::io::sink()));
    for answer in answers {
        streams.execute(answer);
    }
    let share = Share::of(Arc::clone(load));
    let connection = std::future::pending::<()>();
    let mut multiplexed = Multiplexed::new(connection, streams, outgoing, Deadlines::default(), share);
    std::future::poll_fn(|context| {
        let polled = Pin::new(&mut multiplexed).poll(context);
        if multiplexed.streams.is_empty() { Poll::Ready(()) } else { polled }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_up_when_nothing_of_it_is_taken_for_long() {
    let started = Instant::now();
    let slow = async {
        for _ in 0..10 {
            sleep(Duration::from_secs(25)).await;
            progressed();
        }
        std::future::pending::<()>().await;
    };
    answer(&Arc::new(Load::new(&Limits::default())), vec![Box::pin(slow)]).await;
    assert_eq!(started.elapsed().as_secs(), 280, "30 s after the last part");
}

#[tokio::test]
async fn what_began_as_a_connection_ended_is_let_go_and_what_was_said_is_sent() {
    let (streams, (mut stream, outgoing)) = (Streams::new(), gathered(Vec::new()));
    let held = Arc::new(());
    let (alive, left) = (Arc::downgrade(&held), streams.clone());
    // As hyper does, which takes requests and ends in one turn.
    let connection = async move {
        left.execute(async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        stream.write_all(b"goodbye").await.expect("it is gathered");
        stream
    };
    let share = Share::of(Arc::new(Load::new(&Limits::default())));
    let stream = Multiplexed::new(connection, streams, outgoing, Deadlines::default(), share).await;
    assert!(alive.upgrade().is_none(), "the stream has ended with its connection");
    assert_eq!(stream.into_inner(), b"goodbye");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_given_up_leaves_the_others_alone() {
    let started = Instant::now();
    let busy = async {
        for _ in 0..100 {
            sleep(Duration::from_secs(1)).await;
            progressed();
        }
    };
    let ended = Arc::new(AtomicBool::new(false));
    let notes = Arc::clone(&ended);
    let slow = async move {
        sleep(Duration::from_secs(20)).await;
        notes.store(true, Ordering::Relaxed);
    };
    let stuck = std::future::pending::<()>();
    let panicking = async { panic!("it is caught") };
    let load = Arc::new(Load::new(&Limits::default()));
    answer(&load, vec![Box::pin(stuck), Box::pin(busy), Box::pin(panicking), Box::pin(slow)]).await;
    assert_eq!((started.elapsed().as_secs(), ended.load(Ordering::Relaxed)), (100, true));
}

#[tokio::test(start_paused = true)]
async fn where_others_find_no_room_it_is_given_up_soon_but_not_while_it_is_being_made() {
    let load = Arc::new(Load::new(&Limits::default()));
    let others = Arc::clone(&load);
    let share = move || Share::of(Arc::clone(&others));
    let _all = share().admit(u64::MAX).expect("it goes alone");
    let started = Instant::now();
    let slow = async move {
        for _ in 0..10 {
            sleep(Duration::from_secs(1)).await;
            assert!(share().admit(1).is_none());
        }
        progressed();
        std::future::pending::<()>().await;
    };
    answer(&load, vec![Box::pin(slow)]).await;
    assert_eq!(started.elapsed().as_secs(), 12);
}

#[tokio::test(start_paused = true)]
async fn where_others_find_no_room_it_is_not_given_up_while_it_waits_for_something_to_happen() {
    let load = Arc::new(Load::new(&Limits::default()));
    let others = Arc::clone(&load);
    let share = move || Share::of(Arc::clone(&others));
    let _all = share().admit(u64::MAX).expect("it goes alone");
    let (ended, started) = (Arc::new(AtomicBool::new(false)), Instant::now());
    let notes = Arc::clone(&ended);
    let waiting = async move {
        progressed();
        waits();
        for _ in 0..10 {
            sleep(Duration::from_secs(1)).await;
            assert!(share().admit(1).is_none());
        }
        notes.store(true, Ordering::Relaxed);
    };
    answer(&load, vec![Box::pin(waiting)]).await;
    assert_eq!((started.elapsed().as_secs(), ended.load(Ordering::Relaxed)), (10, true));
}
