//! Where log lines go: through a queue to one thread, which alone waits for whoever reads standard error. A reader
//! that has stopped reading costs lines, and nobody time.

use std::io::{ErrorKind, Result, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The most lines that wait. Beyond them they are lost, and counted.
const MAX_WAITING: usize = 4_096;
/// How long the end of the process waits for what was said last.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the thread is given.
enum Item {
    Line(Box<[u8]>),
    /// Everything before this has been written when the sender is dropped.
    Flush(SyncSender<()>),
}

/// The queue that ends at standard error.
static OUTPUT: OnceLock<Output> = OnceLock::new();

/// The way into a queue of lines.
#[derive(Clone, Debug)]
pub(super) struct Output {
    queue: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

/// How many lines were lost since the start, of those that go to standard error.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many lines were lost since the start, because nobody read them.
pub(super) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

impl Output {
    /// Starts the thread that writes to standard error, once per process. Where there can be none, lines are lost.
    pub(super) fn standard_error() -> Self {
        OUTPUT.get_or_init(|| Self::to(std::io::stderr(), MAX_WAITING)).clone()
    }

    fn to(writer: impl Write + Send + 'static, most: usize) -> Self {
        let (queue, items) = sync_channel(most);
        let lost = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&lost);
        let _ = std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(writer, &items, &counted));
        Self { queue, lost }
    }

    fn flush(&self, limit: Duration) {
        let (done, written) = sync_channel(1);
        // Where the queue is full, nobody reads.
        if self.queue.try_send(Item::Flush(done)).is_ok() {
            let _ = written.recv_timeout(limit);
        }
    }
}

/// Waits until everything that was logged has been written, but not for long.
pub(super) fn flush() {
    if let Some(output) = OUTPUT.get() {
        output.flush(LAST_WORDS);
    }
}

/// One line a call: so does tracing write.
impl Write for Output {
    fn write(&mut self, line: &[u8]) -> Result<usize> {
        match self.queue.try_send(Item::Line(line.into())) {
            Ok(()) => Ok(line.len()),
            Err(TrySendError::Full(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                LOST.fetch_add(1, Ordering::Relaxed);
                Ok(line.len())
            }
            Err(TrySendError::Disconnected(_)) => Err(ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn write_all(mut writer: impl Write, items: &Receiver<Item>, lost: &AtomicU64) {
    for item in items {
        match item {
            // Whoever reads may have gone; somebody else may come.
            Item::Line(line) => drop(writer.write_all(&line)),
            Item::Flush(done) => {
                let _ = writer.flush();
                drop(done);
            }
        }
        // Said through the queue, in the format of all lines: there is room, since one was just taken.
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "log lines were lost, since nobody read them for a while");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    /// Writes one line each time that it is told to.
    struct Gate {
        opened: Receiver<()>,
        written: Arc<Mutex<String>>,
    }

    impl Write for Gate {
        fn write(&mut self, line: &[u8]) -> Result<usize> {
            let _ = self.opened.recv();
            self.written.lock().expect("no panic").push_str(&String::from_utf8_lossy(line));
            Ok(line.len())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stops_costs_lines_and_no_time() {
        let (open, opened) = channel();
        let written = Arc::<Mutex<String>>::default();
        let mut output = Output::to(Gate { opened, written: Arc::clone(&written) }, 3);
        for number in 0..100 {
            output.write_all(format!("{number}\n").as_bytes()).expect("it never fails");
        }
        output.flush(Duration::from_millis(1));
        let lost = output.lost.load(Ordering::Relaxed);
        // One may have been taken out of the queue already.
        assert!((96..=97).contains(&lost), "{lost}");
        assert_eq!(*written.lock().expect("no panic"), "", "nobody reads");
        drop(open);
        // `flush` does not wait where it finds the queue full, as it may until all of it has been written.
        let started = std::time::Instant::now();
        while written.lock().expect("no panic").lines().count() < 3 && started.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
        output.flush(Duration::from_secs(10));
        let written = written.lock().expect("no panic").clone();
        assert!(written.starts_with("0\n1\n2\n") && written.lines().count() <= 4, "{written}");
    }

    #[test]
    fn what_was_said_last_is_written_before_the_end() {
        let written = Arc::<Mutex<String>>::default();
        let (open, opened) = channel();
        drop(open);
        let mut output = Output::to(Gate { opened, written: Arc::clone(&written) }, 1_000);
        for number in 0..500 {
            output.write_all(format!("{number},").as_bytes()).expect("it never fails");
        }
        output.flush(Duration::from_secs(10));
        assert!(written.lock().expect("no panic").ends_with("498,499,"));
    }
}
