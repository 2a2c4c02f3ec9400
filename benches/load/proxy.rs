//! The proxy under test: the binary that cargo has built, with its defaults but for what a benchmark needs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::processes::{Process, free_port};
use crate::{Outcome, measure, release, stop};

/// How long a first walk may take.
const PATIENCE: Duration = Duration::from_mins(10);
/// What is asked first, as VS Code does.
pub(crate) const FIRST_PAGE: &str = "/v0.1/servers?limit=50&version=latest";

/// What differs from the defaults besides addresses, for the report.
pub(crate) const SETTINGS: &str =
    "`refresh.max_rate = 1000`, `refresh.interval = \"1h\"`, `admin.listen = \"off\"`, `log.level = \"error\"`";
/// The same for the proxy that is refreshed all the time.
pub(crate) const REFRESHING: &str = "`refresh.interval = \"2s\"`, an admin listener, `store.path = \"off\"`";

/// A running proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    process: Process,
    configuration: PathBuf,
    pub(crate) address: SocketAddr,
    /// Of those that are told to refresh.
    pub(crate) admin: Option<SocketAddr>,
}

impl Proxy {
    /// Starts one that knows nothing yet, in a directory of its own.
    pub(crate) fn start(directory: &Path, registry: SocketAddr, is_refreshing: bool) -> Outcome<Self> {
        fs::create_dir_all(directory)?;
        let (address, admin) = (loopback(free_port()?), loopback(free_port()?));
        let special = if is_refreshing {
            format!("[admin]\nlisten = \"{admin}\"\n[store]\npath = \"off\"\n[refresh]\ninterval = \"2s\"\n")
        } else {
            "[admin]\nlisten = \"off\"\n[store]\npath = \"state\"\n[refresh]\ninterval = \"1h\"\n".to_owned()
        };
        let text = format!(
            "[server]\nlisten = \"{address}\"\n{special}max_rate = 1000\n[log]\nlevel = \"error\"\n\
             [[registries]]\nname = \"official\"\nurl = \"http://{registry}/v0.1/servers\"\n"
        );
        let configuration = directory.join("proxy.toml");
        fs::write(&configuration, text)?;
        let process = spawn(&configuration)?;
        Ok(Self { process, configuration, address, admin: is_refreshing.then_some(admin) })
    }

    /// Ends it and starts it again with what it has stored. Returns how long the new one took to its first answer.
    pub(crate) fn restart(self, client: &Client) -> Outcome<(Self, Duration)> {
        let Self { process, configuration, address, admin } = self;
        process.stop()?;
        let began = Instant::now();
        let mut proxy = Self { process: spawn(&configuration)?, configuration, address, admin };
        proxy.until_answered(client, FIRST_PAGE, Duration::from_millis(1))?;
        let took = began.elapsed();
        proxy.until_quiet()?;
        Ok((proxy, took))
    }

    /// Waits until it has mirrored the registry.
    pub(crate) fn until_ready(&mut self, client: &Client) -> Outcome<()> {
        self.until_answered(client, "/readyz", Duration::from_millis(20))
    }

    fn until_answered(&mut self, client: &Client, target: &str, every: Duration) -> Outcome<()> {
        let address = self.address;
        stop::until("the proxy answers", every, PATIENCE, || {
            self.process.check()?;
            Ok(client.status(address, target) == Some(200))
        })
    }

    /// Waits until it has nothing to do any more: what it fetched is written.
    pub(crate) fn until_quiet(&self) -> Outcome<()> {
        let mut before = f64::NEG_INFINITY;
        stop::until("the proxy is idle", Duration::from_secs(2), PATIENCE, || {
            let now = self.cpu()?;
            let is_quiet = now - before < 0.02;
            before = now;
            Ok(is_quiet)
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has used, in seconds.
    pub(crate) fn cpu(&self) -> Outcome<f64> {
        measure::cpu(self.id())
    }

    pub(crate) fn stop(self) -> Outcome<()> {
        self.process.stop()
    }
}

fn spawn(configuration: &Path) -> Outcome<Process> {
    let mut command = Command::new(release::PROGRAM);
    // Settings of the machine shall not count, nor a proxy that it has.
    command.env_clear().arg("serve").arg("--config").arg(configuration);
    command.current_dir(configuration.parent().ok_or("the configuration lies in no directory")?);
    Process::start("the proxy", &mut command)
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
