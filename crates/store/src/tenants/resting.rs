//! What open tenants hold and do not use is given back.

use std::{sync::Weak, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Tenants;

/// Time between two looks. What was not used in between is given back.
const LOOK: Duration = Duration::from_secs(10);

/// Looks after the open tenants as long as there are any to be opened.
pub(super) async fn job(tenants: Weak<Tenants>) {
    let mut look = interval_at(Instant::now() + LOOK, LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let Some(tenants) = tenants.upgrade() else { return };
        // Where nobody asks for any tenant, nothing else closes those whose time is over.
        tenants.open.run_pending_tasks().await;
        let open: Vec<_> = tenants.open.iter().map(|(_, open)| open).collect();
        drop(tenants);
        let rested = tokio::task::spawn_blocking(move || open.iter().for_each(|open| open.rest())).await;
        // It is cancelled where the program ends.
        if let Err(error) = rested
            && error.is_panic()
        {
            tracing::error!(%error, "what open tenants do not use was not given back");
        }
    }
}
