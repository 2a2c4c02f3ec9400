//! The registry as the benchmark sees it: a process that can be told to change, and asked what it was asked.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::client::Client;
use crate::processes::{Process, free_port};
use crate::{Outcome, stop};

/// Making ten times today's registry takes some seconds.
const PATIENCE: Duration = Duration::from_mins(3);

/// A running registry.
#[derive(Debug)]
pub(crate) struct Control {
    _process: Process,
    address: SocketAddr,
    client: Client,
}

/// How often it was asked for what, and how often it has changed.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Counts {
    pub(crate) pages: u64,
    pub(crate) walks: u64,
    pub(crate) increments: u64,
    pub(crate) changes: usize,
}

impl Control {
    /// Starts a registry, and waits until it answers.
    pub(crate) fn start(is_tenfold: bool) -> Outcome<Self> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["registry", "--port", &port.to_string()]);
        if is_tenfold {
            command.arg("--tenfold");
        }
        let mut process = Process::start("the registry", &mut command)?;
        let (address, client) = (SocketAddr::from(([127, 0, 0, 1], port)), Client::new()?);
        stop::until("the registry answers", Duration::from_millis(50), PATIENCE, || {
            process.check()?;
            Ok(client.status(address, "/control/counts") == Some(200))
        })?;
        Ok(Self { _process: process, address, client })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets a hundred entries change.
    pub(crate) fn change(&self) -> Outcome<()> {
        self.client.post(self.address, "/control/change").map(|_| ())
    }

    pub(crate) fn counts(&self) -> Outcome<Counts> {
        let reply = self.client.get(self.address, "/control/counts", &[])?;
        Ok(serde_json::from_slice(&reply.body)?)
    }
}
