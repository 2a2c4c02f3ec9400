//! What the configured registries list, fetched once, for commands that need all of it.

use std::sync::Arc;

use super::{Failure, warn};
use crate::app::{self, Snapshot};
use crate::catalog::Catalog;
use crate::config::Config;

/// Fetches all configured registries once, and merges what they list. Says on standard error which ones are left out,
/// and why. None where that is all of them.
///
/// # Errors
/// When the configuration is wrong.
pub(super) async fn catalog(config: &Config) -> Result<Option<Arc<Catalog>>, Failure> {
    let Snapshot { catalog, missing } = app::fetch_once(config).await?;
    for missing in missing {
        warn(&missing.to_string());
    }
    Ok(Some(catalog).filter(|catalog| catalog.is_available()))
}
