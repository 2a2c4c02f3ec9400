//! The real binary as a child process, in a directory and an environment of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{PATIENCE, eventually};

/// A working directory to run the binary in.
pub(crate) struct Workplace(TempDir);

impl Workplace {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    /// What a file holds.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).expect("a readable file")
    }

    /// Writes a file into the directory.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).expect("a writable directory");
        path
    }

    /// The path of a file in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-registry-proxy"));
        // Neither a proxy nor settings of the machine that the tests run on shall count.
        command.env_clear().current_dir(self.0.path()).args(arguments).stdin(Stdio::null());
        // Tests run side by side; its usual address has room for one.
        command.env("MCP_REGISTRY_PROXY__ADMIN__LISTEN", "off");
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        Finished::of(self.command(arguments)).await
    }

    /// Runs `serve` until it says where it listens. The configuration must have `log.format = "json"`.
    pub(crate) async fn serve(&self, arguments: &[&str]) -> Serving {
        Self::listening(self.command(&[&["serve"], arguments].concat()), Afterwards::ReadOn).await
    }

    /// The same, with nobody who reads its log from then on.
    pub(crate) async fn serve_unheard(&self, arguments: &[&str]) -> Serving {
        Self::listening(self.command(&[&["serve"], arguments].concat()), Afterwards::Close).await
    }

    /// The same with a log whose pipe stays open and is never emptied.
    pub(crate) async fn serve_unread(&self, arguments: &[&str]) -> Serving {
        Self::listening(self.command(&[&["serve"], arguments].concat()), Afterwards::Hold).await
    }

    /// The same with no more than so many open files.
    pub(crate) async fn serve_within(&self, open_files: u32, arguments: &[&str]) -> Serving {
        self.serve_after(&format!("ulimit -n {open_files}"), arguments).await
    }

    /// The same after a command of the shell, such as `ulimit` or `exec`, that counts for the process.
    pub(crate) async fn serve_after(&self, preparation: &str, arguments: &[&str]) -> Serving {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{preparation}; exec \"$0\" serve \"$@\"")]);
        command.arg(env!("CARGO_BIN_EXE_mcp-registry-proxy")).args(arguments);
        command.env_clear().current_dir(self.0.path()).stdin(Stdio::null());
        command.env("MCP_REGISTRY_PROXY__ADMIN__LISTEN", "off");
        Self::listening(command, Afterwards::ReadOn).await
    }

    async fn listening(mut command: Command, afterwards: Afterwards) -> Serving {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the binary runs");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, mut lines) = mpsc::unbounded_channel();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let written = Arc::clone(&log);
        let unread: Arc<Mutex<Option<BufReader<ChildStderr>>>> = Arc::default();
        let held = Arc::clone(&unread);
        // Read to the end, so that the child never waits for a reader.
        std::thread::spawn(move || {
            for line in stderr.by_ref().lines().map_while(Result::ok) {
                let is_over = afterwards != Afterwards::ReadOn && address_in(&line).is_some();
                written.lock().expect("no panic").push(line.clone());
                let _ = sender.send(line);
                if is_over {
                    break;
                }
            }
            if afterwards == Afterwards::Hold {
                *held.lock().expect("no panic") = Some(stderr);
            }
        });
        let mut serving = Serving { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log, _unread: unread };
        let listening = async {
            while let Some(line) = lines.recv().await {
                if let Some(address) = address_in(&line) {
                    return address;
                }
            }
            panic!("it ended without saying where it listens");
        };
        serving.address = timeout(PATIENCE, listening).await.expect("it says in time where it listens");
        serving
    }
}

/// What becomes of the log once it has said where the proxy listens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Afterwards {
    ReadOn,
    Close,
    Hold,
}

/// The address in the log line that says where the proxy listens.
fn address_in(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let (_, address) = line["address"].as_str()?.split_once("://")?;
    address.parse().ok()
}

/// What a command left behind.
pub(crate) struct Finished(Output);

impl Finished {
    /// Runs a command to its end.
    pub(crate) async fn of(mut command: Command) -> Self {
        let running = tokio::task::spawn_blocking(move || command.output());
        let output = timeout(PATIENCE, running).await.expect("the command ends in time");
        Self(output.expect("no panic").expect("it runs"))
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

/// The proxy as a process of its own; killed when the test is over.
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    _unread: Arc<Mutex<Option<BufReader<ChildStderr>>>>,
}

impl Serving {
    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log_with("").join("\n")
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("`kill` runs").success(), "the process takes signals");
    }

    /// The most memory that it has had, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.bytes_of("VmHWM:")
    }

    /// The memory that it has, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.bytes_of("VmRSS:")
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many file descriptors it has.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }

    fn bytes_of(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("the system counts it");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("a child process");
    }

    /// The lines of its log so far that hold a text.
    pub(crate) fn log_with(&self, text: &str) -> Vec<String> {
        self.log.lock().expect("no panic").iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// Waits for a line of its log that holds a text.
    #[track_caller]
    pub(crate) fn until_logged(&self, text: &str) -> impl Future<Output = String> {
        eventually("the log said so", async move || {
            let found = self.log_with(text).pop();
            found.ok_or_else(|| format!("no {text:?} in {:#?}", self.log_with("")))
        })
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child process").is_none()
    }

    /// Waits for its end; returns the exit code.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        let exited = async || match self.child.try_wait().expect("a child process") {
            Some(status) => Ok(status.code()),
            None => Err("it runs".to_owned()),
        };
        eventually("the process ended", exited).await
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
