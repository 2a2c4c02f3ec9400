//! A real `redis-server` on a port of its own, and a wire to it that can be cut, slowed and held up.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::eventually;

/// Set where a test may not be skipped, as in `.ci/run`.
const NEEDED: &str = "TESTS_NEED_REDIS";
/// Stands in arguments for a port that is free: [`Redis::second_port`] says which one it became.
pub(crate) const FREE_PORT: &str = "FREE_PORT";

/// How long nothing comes any more after an answer.
const QUIET: Duration = Duration::from_millis(500);
/// Where ports are looked for: below those that the system gives to whoever connects to anything.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
/// How many ports are tried, where others are quicker to take them.
const ATTEMPTS: usize = 10;
/// What a Redis, or a Sentinel, writes to its log once it listens.
const STARTED: [&str; 2] = ["Ready to accept connections", "+monitor"];

/// A Redis that ends with the test.
pub(crate) struct Redis {
    child: Mutex<Option<Child>>,
    directory: TempDir,
    address: SocketAddr,
    second_port: u16,
    arguments: Vec<String>,
    /// The Redis that it watches over, where it is a Sentinel.
    watched: Option<SocketAddr>,
}

impl Redis {
    /// Starts one that keeps nothing on disk; none where none is installed, which is said loudly.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// The same with more arguments.
    pub(crate) async fn start_with(arguments: &[&str]) -> Option<Self> {
        Self::launch(arguments, None).await
    }

    /// Whether the one that is installed is older than a release.
    pub(crate) fn is_older_than(major: u32, minor: u32) -> bool {
        let said = Command::new("redis-server").arg("--version").output();
        let said = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
        let version = said.split_once(" v=").map(|(_, rest)| rest).unwrap_or_default();
        let mut numbers =
            version.split(|letter: char| !letter.is_ascii_digit()).map_while(|number| number.parse().ok());
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < (major, minor)
    }

    /// Starts a Sentinel that watches over another one, as `main`.
    pub(crate) async fn sentinel_of(redis: &Self) -> Option<Self> {
        Self::launch(&[], Some(redis.address)).await
    }

    async fn launch(arguments: &[&str], watched: Option<SocketAddr>) -> Option<Self> {
        let is_there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok();
        if !is_there {
            assert!(std::env::var_os(NEEDED).is_none(), "redis-server is not installed, and {NEEDED} is set");
            say_skipped();
            return None;
        }
        for _ in 0..ATTEMPTS {
            let (port, second_port) = (free_port(), free_port());
            let second = second_port.to_string();
            let redis = Self {
                child: Mutex::default(),
                directory: tempfile::tempdir().expect("a temporary directory"),
                address: SocketAddr::from(([127, 0, 0, 1], port)),
                second_port,
                arguments: arguments.iter().map(|argument| argument.replace(FREE_PORT, &second)).collect(),
                watched,
            };
            if redis.has_started().await {
                return Some(redis);
            }
        }
        panic!("redis-server did not start on any of {ATTEMPTS} ports");
    }

    /// Runs it, on the same port as before, and empty.
    pub(crate) async fn run(&self) {
        for _ in 0..ATTEMPTS {
            if self.has_started().await {
                return;
            }
            // Whoever has taken the port for a connection meanwhile may let it go.
            sleep(QUIET).await;
        }
        panic!("redis-server did not start again on {}", self.address);
    }

    /// Starts it, and waits until it listens; false, where it ended instead: its port was taken.
    async fn has_started(&self) -> bool {
        let port = self.address.port().to_string();
        let mut command = Command::new("redis-server");
        let path = |name: &str| self.directory.path().join(name);
        let log = path("redis.log");
        // It says on which port it is ready only in its log, and another Redis may have been quicker to take that.
        let _ = std::fs::remove_file(&log);
        if let Some(watched) = self.watched {
            let lines = format!("port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {} 1\n", watched.port());
            std::fs::write(path("sentinel.conf"), lines).expect("a writable directory");
            command.arg(path("sentinel.conf")).arg("--sentinel");
        } else {
            command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        }
        command.arg("--dir").arg(self.directory.path()).arg("--logfile").arg(&log).args(&self.arguments);
        let mut child = command.stdout(Stdio::null()).stdin(Stdio::null()).spawn().expect("redis-server runs");
        let started = eventually("redis-server started or ended", async || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            if STARTED.iter().any(|line| said.contains(line)) {
                return Ok(true);
            }
            let has_ended = child.try_wait().expect("a child process").is_some();
            if has_ended { Ok(false) } else { Err(said) }
        });
        let started = started.await;
        *self.child() = started.then_some(child);
        started
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The port that stands for [`FREE_PORT`].
    pub(crate) fn second_port(&self) -> u16 {
        self.second_port
    }

    /// All that clients ask it from now on.
    pub(crate) async fn monitor(&self) -> Monitor {
        let mut stream = TcpStream::connect(self.address).await.expect("Redis takes connections");
        stream.write_all(b"MONITOR\r\n").await.expect("Redis reads");
        let mut lines = BufReader::new(stream).split(b'\n');
        let answer = lines.next_segment().await.expect("Redis answers").unwrap_or_default();
        assert!(answer.starts_with(b"+OK"), "{}", String::from_utf8_lossy(&answer));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let written = Arc::clone(&seen);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok(Some(line)) = lines.next_segment().await {
                let line = String::from_utf8_lossy(&line).into_owned();
                written.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Monitor { seen, _task: task }
    }

    /// Ends it at once.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            child.kill().and_then(|()| child.wait()).expect("a child process");
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a command in one line; returns what is answered, as it comes.
    pub(crate) async fn command(&self, line: &str) -> String {
        let asked = async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(format!("{line}\r\nQUIT\r\n").as_bytes()).await?;
            let mut answer = Vec::new();
            // A Sentinel does not end the connection.
            while let Ok(read) = timeout(QUIET, stream.read_buf(&mut answer)).await {
                if read? == 0 {
                    break;
                }
            }
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
        };
        asked.await.unwrap_or_else(|error| error.to_string())
    }
}

/// Says so where it is seen: what `eprintln!` says, tests that pass keep to themselves.
fn say_skipped() {
    let said = b"\n*** SKIPPED: redis-server is not installed; what replicas share is NOT tested ***\n";
    let _ = std::io::stderr().write_all(said);
}

/// A port that nobody had a moment ago.
fn free_port() -> u16 {
    let is_free = |port: &u16| StdListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = std::iter::repeat_with(|| fastrand::u16(PORTS)).take(1_000);
    ports.find(is_free).expect("one of a thousand ports is free")
}

/// What clients ask a Redis, line by line.
pub(crate) struct Monitor {
    seen: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Monitor {
    /// What has been asked so far, scripts' own commands too.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a wire behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It carries what it is given.
    None,
    /// Connections end, and new ones too.
    Cut,
    /// Nothing comes through, and nothing ends.
    Hang,
    /// Each piece takes this long more.
    Slow(Duration),
    /// It carries what it is given until something is sent that is such: from that on, it hangs.
    HangAt(fn(&[u8]) -> bool),
}

/// A wire to an address.
pub(crate) struct Wire {
    address: SocketAddr,
    fault: Arc<Mutex<Fault>>,
    _task: JoinSet<()>,
}

impl Wire {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let fault = Arc::new(Mutex::new(Fault::None));
        let known = Arc::clone(&fault);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let fault = Arc::clone(&known);
                if matches!(current(&fault), Fault::Cut) {
                    continue;
                }
                connections.spawn(async move {
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    let there = carry(near_in, far_out, Arc::clone(&fault));
                    let back = carry(far_in, near_out, fault);
                    // Whichever ends first ends both.
                    tokio::select! {
                        () = there => {}
                        () = back => {}
                    }
                });
            }
        });
        Self { address, fault, _task: task }
    }

    /// Waits until it hangs.
    #[track_caller]
    pub(crate) fn until_hanging(&self) -> impl Future<Output = ()> {
        eventually("the wire hung", async || match current(&self.fault) {
            Fault::Hang => Ok(()),
            other => Err(format!("{other:?}")),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Behaves so from now on.
    pub(crate) fn behave(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

fn current(fault: &Arc<Mutex<Fault>>) -> Fault {
    *fault.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carries one way. Ends where the wire is cut; a piece that has been read is delivered once the wire hangs no more, also
/// where its sender has given up meanwhile.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, fault: Arc<Mutex<Fault>>) {
    let mut buffer = vec![0; 64 << 10];
    let tick = Duration::from_millis(5);
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            () = sleep(tick), if matches!(current(&fault), Fault::Cut) => return,
            () = sleep(tick) => continue,
        };
        let Ok(count @ 1..) = read else { return };
        loop {
            match current(&fault) {
                Fault::Cut => return,
                Fault::Hang => sleep(tick).await,
                Fault::Slow(wait) => {
                    sleep(wait).await;
                    break;
                }
                Fault::HangAt(is_such) if is_such(&buffer[..count]) => {
                    *fault.lock().unwrap_or_else(PoisonError::into_inner) = Fault::Hang;
                }
                Fault::HangAt(_) | Fault::None => break,
            }
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
