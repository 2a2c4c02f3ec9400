//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measures the proxy beside nginx and beside bare hyper.
#[derive(Debug, Parser)]
#[command(name = "load")]
pub(crate) struct Arguments {
    /// How many times each run is made; the figures are the medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each run takes
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Only what has this in its name; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// One round of one second: whether it works, not how fast it is
    #[arg(long)]
    quick: bool,
    /// A registry of ten times today's size, and only what depends on that: memory, warm start, search
    #[arg(long)]
    pub(crate) tenfold: bool,
    /// What cargo says to everything that it benches
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What the program is when it starts itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// The registry that is mirrored
    #[command(hide = true)]
    Registry(RegistrySettings),
    /// The bare hyper server
    #[command(hide = true)]
    Bare(BareSettings),
}

#[derive(Debug, Args)]
pub(crate) struct RegistrySettings {
    /// Where it listens, on loopback
    #[arg(long)]
    pub(crate) port: u16,
    #[arg(long)]
    pub(crate) tenfold: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BareSettings {
    /// A file that says what is answered where
    #[arg(long)]
    pub(crate) answers: PathBuf,
}

impl Arguments {
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds.max(1) }
    }

    pub(crate) fn seconds(&self) -> u64 {
        if self.quick { 1 } else { self.seconds.max(1) }
    }

    /// How often something is repeated that takes long to set up.
    pub(crate) fn repetitions(&self) -> usize {
        if self.quick { 2 } else { 10 }
    }

    /// How often something is measured, at most, until others leave the machine alone meanwhile.
    pub(crate) fn attempts(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// Whether something of this name is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()))
    }

    /// Whether a registry of this size lists ten times today's.
    pub(crate) fn size(&self) -> crate::corpus::Size {
        size(self.tenfold)
    }
}

/// How much the registry lists.
pub(crate) fn size(is_tenfold: bool) -> crate::corpus::Size {
    if is_tenfold { crate::corpus::TENFOLD } else { crate::corpus::TODAY }
}
