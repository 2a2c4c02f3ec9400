//! Who asks a registry: this process, unless another replica does so for all.

use std::sync::Arc;

use crate::registry::Registry;

/// Does something for as long as it is for this process to ask the registry, and begins anew with each shift.
pub(super) async fn on_duty<F: Future<Output = ()>>(registry: Arc<Registry>, work: impl Fn() -> F) {
    let mut duty = registry.watch_duty();
    loop {
        let shift = *duty.borrow_and_update();
        if shift.is_some() {
            tokio::select! {
                () = work() => {}
                _ = duty.wait_for(|now| *now != shift) => {}
            }
        } else {
            // The channel cannot close: the registry holds its sender.
            let _ = duty.wait_for(Option::is_some).await;
        }
    }
}
