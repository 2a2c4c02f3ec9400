//! The proxy as it is released. Cargo builds what it benches without link-time optimisation, so that its parts are quick
//! to compare; what users run is measured here.

use std::path::Path;
use std::process::Command;

use crate::Outcome;

/// Where the program is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_mcp-registry-proxy");

/// Builds it, where cargo has started this.
pub(crate) fn build() -> Outcome<()> {
    let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
    let target = Path::new(PROGRAM).ancestors().nth(2).ok_or("the program lies in no target directory")?;
    eprintln!("building the release, which takes minutes where it is not there yet");
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--bin", "mcp-registry-proxy", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    if built.success() { Ok(()) } else { Err(format!("cargo build --release ended with {built}").into()) }
}
