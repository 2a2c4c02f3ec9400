//! Programs that are started and, whatever happens, stopped: by their own process ids, and those of their children.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Outcome, measure, stop};

/// How long a program may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(5);

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
}

impl Process {
    /// Starts a program. What it has to say of errors goes where ours go.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Outcome<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let child = child.map_err(|error| {
            format!("cannot start {name}: {error}. On Debian: apt-get install nginx wrk nghttp2-client")
        })?;
        Ok(Self { name, child })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails if it has ended.
    pub(crate) fn check(&mut self) -> Outcome<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("{} ended by itself ({status})", self.name).into()),
        }
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        self.signal(Signal::TERM);
        let waited = Instant::now();
        while self.child.try_wait()?.is_none() {
            if PATIENCE < waited.elapsed() {
                return Err(format!("{} did not end within {} s", self.name, PATIENCE.as_secs()).into());
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Waits for its end; returns what it has written. It writes little: a pipe holds it.
    pub(crate) fn output(mut self) -> Outcome<String> {
        let status = loop {
            stop::check()?;
            match self.child.try_wait()? {
                Some(status) => break status,
                None => thread::sleep(LOOK),
            }
        };
        let mut text = String::new();
        if let Some(mut output) = self.child.stdout.take() {
            output.read_to_string(&mut text)?;
        }
        if status.success() { Ok(text) } else { Err(format!("{} failed ({status}): {text}", self.name).into()) }
    }

    fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // Those of nginx would outlive a master that is killed.
        let family = measure::tree(self.child.id()).unwrap_or_default();
        self.signal(Signal::TERM);
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < Duration::from_secs(5) {
            thread::sleep(LOOK);
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            for id in family {
                send(id, Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

/// It may have ended already.
fn send(id: u32, signal: Signal) {
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(id, signal);
    }
}

/// A port of loopback that nobody listens at.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Fails where a program is not there.
pub(crate) fn require(program: &str, package: &str) -> Outcome<()> {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .any(|directory| directory.join(program).is_file());
    let missing = || format!("{program} is missing. On Debian: apt-get install {package}");
    if found { Ok(()) } else { Err(missing().into()) }
}
