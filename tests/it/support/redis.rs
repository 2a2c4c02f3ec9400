//! A real `redis-server` on a port of its own, and a wire to it that can be cut, slowed and held up.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{check, eventually};

/// Set where a test may not be skipped, as in `.ci/run`.
const NEEDED: &str = "TESTS_NEED_REDIS";

/// How long nothing comes any more after an answer.
const QUIET: Duration = Duration::from_millis(500);

/// A Redis that ends with the test.
pub(crate) struct Redis {
    child: Mutex<Option<Child>>,
    directory: TempDir,
    address: SocketAddr,
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
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let redis = Self { child: Mutex::default(), directory, address, arguments, watched };
        redis.run().await;
        Some(redis)
    }

    /// Runs it, on the same port as before, and empty.
    pub(crate) async fn run(&self) {
        let port = self.address.port().to_string();
        let mut command = Command::new("redis-server");
        if let Some(watched) = self.watched {
            let file = self.directory.path().join("sentinel.conf");
            let lines = format!("port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {} 1\n", watched.port());
            std::fs::write(&file, lines).expect("a writable directory");
            command.arg(file).arg("--sentinel").stdout(Stdio::null()).stdin(Stdio::null());
            self.await_start(command).await;
            return;
        }
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        command.arg(self.directory.path()).args(&self.arguments).stdout(Stdio::null()).stdin(Stdio::null());
        self.await_start(command).await;
    }

    async fn await_start(&self, mut command: Command) {
        let child = command.spawn().expect("redis-server runs");
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        eventually("redis-server answered", async || {
            let pong = self.command("PING").await;
            check(pong.contains("PONG") || pong.contains("NOAUTH"), pong)
        })
        .await;
    }

    /// Ends it at once.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap_or_else(PoisonError::into_inner).take() {
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

#[expect(clippy::print_stderr, reason = "whoever runs the tests has to see what was not tested")]
fn say_skipped() {
    eprintln!("\n*** SKIPPED: redis-server is not installed; what replicas share is NOT tested ***\n");
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a wire behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It carries what it is given.
    None,
    /// Connections end, and new ones too.
    Cut,
    /// Nothing comes through, and nothing ends.
    Hang,
    /// Each piece takes this long more.
    Slow(Duration),
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
                if current(&fault) == Fault::Cut {
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

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, fault: Arc<Mutex<Fault>>) {
    let mut buffer = vec![0; 64 << 10];
    let tick = Duration::from_millis(5);
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            () = sleep(tick), if current(&fault) == Fault::Cut => return,
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
                Fault::None => break,
            }
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
