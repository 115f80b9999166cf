use std::{sync::Arc, time::Duration};

use kernel::{Tenant, TenantStatus, time::Timestamp};
use uuid::Uuid;

use super::{Activity, Batches, Lifetimes};

const HOUR: i64 = 3_600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn lifetimes(refresh: bool) -> Lifetimes {
    Lifetimes { timeout_minutes: 60, refresh, longest: Duration::from_hours(24) }
}

#[test]
fn activity_moves_the_end_but_not_beyond_the_last() {
    let sliding = lifetimes(true);
    assert_eq!(sliding.end(at(0), at(10)), at(10 + HOUR));
    assert_eq!(sliding.end(at(0), at(24 * HOUR - 10)), at(24 * HOUR));
    assert_eq!(lifetimes(false).end(at(0), at(10)), at(HOUR));
    assert_eq!(Lifetimes { timeout_minutes: u64::MAX, ..sliding }.end(at(0), at(10)), at(24 * HOUR));
}

#[test]
fn sessions_in_use_at_about_the_same_time_are_one_statement() {
    let tenant = Arc::new(Tenant {
        id: Uuid::nil(),
        name: "a".into(),
        domain: None,
        status: TenantStatus::Active,
        cors_origins: Vec::new(),
        folder: "a".into(),
    });
    let used = |begun: i64, second: i64| Activity {
        last_accessed: at(second).as_microsecond().into(),
        unwritten: true.into(),
        tenant: Arc::clone(&tenant),
        begun: at(begun),
        generation: 0,
        lifetimes: lifetimes(true),
    };
    let mut batches = Batches::default();
    for number in 0..1_000 {
        batches.add(Uuid::from_u128(number), &used(0, 100 + (number as i64) % 10));
    }
    batches.add(Uuid::from_u128(2_000), &used(104, 104));
    let mut activities = batches.into_activities();
    activities.sort_by_key(|activity| activity.last_accessed);
    let shape: Vec<_> = activities.iter().map(|it| (it.last_accessed, it.expires_at, it.sessions.len())).collect();
    // Never earlier than the session itself.
    let expected = [(at(100), at(100 + HOUR), 500), (at(104), at(104 + HOUR), 1), (at(105), at(105 + HOUR), 500)];
    assert_eq!(shape, expected);
}
