//! How many runs there may be at once, so that no tenant takes all of them.

use std::sync::Arc;

use kernel::TenantId;
use parking_lot::Mutex;

/// Runs at once, of all tenants.
const AT_ONCE: usize = 16;
/// Runs at once of one tenant.
const OF_ONE: usize = 4;

/// The runs that are going on.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<Vec<TenantId>>>);

/// One run. Given back when it is dropped.
pub(super) struct Turn {
    turns: Turns,
    tenant: TenantId,
}

impl Turns {
    /// How many more there may be.
    pub(super) fn left(&self) -> usize {
        AT_ONCE.saturating_sub(self.0.lock().len())
    }

    /// Tenants that may have no more.
    pub(super) fn full(&self) -> Vec<TenantId> {
        let going = self.0.lock();
        let mut full: Vec<_> = going.iter().copied().filter(|tenant| of(&going, *tenant) >= OF_ONE).collect();
        full.sort_unstable();
        full.dedup();
        full
    }

    /// One more of a tenant; none where it may have no more.
    pub(super) fn take(&self, tenant: TenantId) -> Option<Turn> {
        let mut going = self.0.lock();
        if going.len() >= AT_ONCE || of(&going, tenant) >= OF_ONE {
            return None;
        }
        going.push(tenant);
        Some(Turn { turns: self.clone(), tenant })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut going = self.turns.0.lock();
        if let Some(place) = going.iter().position(|tenant| *tenant == self.tenant) {
            going.swap_remove(place);
        }
    }
}

fn of(going: &[TenantId], tenant: TenantId) -> usize {
    going.iter().filter(|other| **other == tenant).count()
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, OF_ONE, Turns};
    use uuid::Uuid;

    #[test]
    fn no_tenant_takes_all() {
        let turns = Turns::default();
        let tenants: Vec<_> = (0..=AT_ONCE / OF_ONE).map(|number| Uuid::from_u128(number as u128)).collect();
        let taken: Vec<_> = std::iter::repeat_with(|| turns.take(tenants[0])).take(AT_ONCE).flatten().collect();
        assert_eq!(taken.len(), OF_ONE);
        assert_eq!((turns.left(), turns.full()), (AT_ONCE - OF_ONE, vec![tenants[0]]));
        let others: Vec<_> =
            tenants[1..].iter().flat_map(|tenant| (0..OF_ONE).filter_map(|_| turns.take(*tenant))).collect();
        assert_eq!((others.len(), turns.left()), (AT_ONCE - OF_ONE, 0));
        drop(taken);
        assert_eq!((turns.left(), turns.full().len()), (OF_ONE, AT_ONCE / OF_ONE - 1));
        assert!(turns.take(tenants[0]).is_some());
    }
}
