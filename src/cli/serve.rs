//! `serve`: runs the proxy.

use std::process::ExitCode;

use clap::Args;

use super::Failure;
use crate::app::App;
use crate::config::{Loaded, Origin};
use crate::shutdown::Ending;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen, in place of server.listen of the configuration
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,
}

pub(super) async fn run(origin: Origin, loaded: Loaded) -> Result<ExitCode, Failure> {
    let Loaded { config, without_effect, .. } = &loaded;
    if !without_effect.is_empty() {
        tracing::warn!(keys = without_effect.join(", "), "these keys are valid and have no effect in this version yet");
    }
    let app = App::build(origin, &loaded).await?;
    let admin = app.admin_address().map(|address| format!("http://{address}"));
    tracing::info!(
        address = %app.base_url(),
        admin = admin.as_ref().map(tracing::field::display),
        registries = config.registries.len(),
        version = env!("CARGO_PKG_VERSION"),
        commit = env!("BUILD_COMMIT"),
        "listening"
    );
    match app.run().await? {
        Ending::Clean => {
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        Ending::Cut => Ok(ExitCode::FAILURE),
    }
}
