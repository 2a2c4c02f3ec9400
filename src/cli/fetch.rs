//! What the configured registries list, fetched once, for commands that need all of it.

use std::sync::Arc;

use super::Failure;
use crate::app::{self, Snapshot};
use crate::catalog::Catalog;
use crate::config::Config;

/// Fetches all configured registries once, and merges what they list. Says which ones could not be used.
///
/// # Errors
/// When the configuration is wrong, and when none of the registries could be used.
pub(super) async fn catalog(config: &Config) -> Result<Arc<Catalog>, Failure> {
    let Snapshot { catalog, missing, .. } = app::fetch_once(config).await?;
    if !catalog.is_available() {
        let reasons: Vec<String> =
            missing.iter().map(|missing| format!("{}: {}", missing.name, missing.reason)).collect();
        return Err(Failure::Unavailable(format!("no registry could be asked: {}", reasons.join("; "))));
    }
    for missing in missing {
        super::warn(&format!("a registry could not be asked: {}: {}", missing.name, missing.reason));
    }
    Ok(catalog)
}
