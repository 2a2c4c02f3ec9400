//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    mcp_registry_proxy::cli::run()
}
