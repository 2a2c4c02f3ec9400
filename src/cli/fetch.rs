//! What the configured registries list, fetched once, for commands that need all of it.

use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Failure;
use super::output::warn;
use crate::app::{self, Progress, Snapshot};
use crate::catalog::Catalog;
use crate::config::Config;

/// What a terminal is shown meanwhile.
const BAR: &str = "{spinner} [{bar:24}] {pos}/{len} registries, {msg} versions ({elapsed})";

/// Fetches all configured registries once, and merges what they list; a terminal is shown how far that has come. Says
/// on standard error which ones are left out, whole or in part, and why. None where that is all of them.
///
/// # Errors
/// When the configuration is wrong.
pub(super) async fn catalog(config: &Config) -> Result<Option<Arc<Catalog>>, Failure> {
    let bar = bar();
    let fetched = app::fetch_once(config, |progress| tell(&bar, progress)).await;
    bar.finish_and_clear();
    let Snapshot { catalog, missing, incomplete } = fetched?;
    for missing in missing {
        warn(&missing.to_string());
    }
    for incomplete in incomplete {
        warn(&incomplete.to_string());
    }
    Ok(Some(catalog).filter(|catalog| catalog.is_available()))
}

/// A bar on standard error; hidden where that is no terminal.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style).with_message("0")
}

fn tell(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.registries as u64);
    bar.set_position(progress.ended as u64);
    bar.set_message(progress.versions.to_string());
    bar.tick();
}
