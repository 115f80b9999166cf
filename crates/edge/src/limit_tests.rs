use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    time::Duration,
};

use proptest::prelude::*;

use super::{Limiter, MAX_KEYS};

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fn limiter(per_second: u32, per_minute: u32) -> Limiter {
    Limiter::new(NonZeroU32::new(per_second).unwrap(), NonZeroU32::new(per_minute).unwrap())
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_burst_then_a_steady_rate() {
    let limiter = limiter(5, 1_000);
    for _ in 0..5 {
        assert_eq!(limiter.check(A, ms(0)), Ok(()));
    }
    assert_eq!(limiter.check(A, ms(0)), Err(1));
    assert_eq!(limiter.check(A, ms(199)), Err(1));
    assert_eq!(limiter.check(A, ms(200)), Ok(()));
    assert_eq!(limiter.check(A, ms(200)), Err(1));
    assert_eq!(limiter.check(B, ms(200)), Ok(()));
}

#[test]
fn the_minute_binds_after_the_seconds_and_says_how_long() {
    let limiter = limiter(10, 30);
    for second in 0..3 {
        for _ in 0..10 {
            assert_eq!(limiter.check(A, ms(second * 1_000)), Ok(()), "second {second}");
        }
    }
    // Thirty requests cost sixty seconds; one fits again after two seconds, counted from the first.
    assert_eq!(limiter.check(A, ms(3_000)), Ok(()));
    assert_eq!(limiter.check(A, ms(3_000)), Err(1));
    assert_eq!(limiter.check(A, ms(4_000)), Ok(()));
    assert_eq!(limiter.check(A, ms(4_001)), Err(2));
}

#[test]
fn refused_requests_cost_nothing() {
    let limiter = limiter(1, 60);
    assert_eq!(limiter.check(A, ms(0)), Ok(()));
    for millis in 1..1_000 {
        assert!(limiter.check(A, ms(millis)).is_err());
    }
    assert_eq!(limiter.check(A, ms(1_000)), Ok(()));
}

#[test]
fn an_ipv6_network_counts_as_one_and_mapped_addresses_as_ipv4() {
    let limiter = limiter(1, 1);
    assert_eq!(limiter.check("2001:db8:0:1::1".parse().unwrap(), ms(0)), Ok(()));
    assert_eq!(limiter.check("2001:db8:0:1:ffff::9".parse().unwrap(), ms(0)), Err(60));
    assert_eq!(limiter.check("2001:db8:0:2::1".parse().unwrap(), ms(0)), Ok(()));
    assert_eq!(limiter.check(A, ms(0)), Ok(()));
    assert_eq!(limiter.check("::ffff:192.0.2.1".parse().unwrap(), ms(0)), Err(60));
}

#[test]
fn memory_is_bounded_and_given_back() {
    let limiter = limiter(5, 30);
    for number in 0..300_000_u32 {
        assert_eq!(limiter.check(IpAddr::V4(Ipv4Addr::from_bits(number)), ms(0)), Ok(()));
    }
    assert!(limiter.keys() <= MAX_KEYS);
    for number in 0..10_000_u32 {
        let _ = limiter.check(IpAddr::V4(Ipv4Addr::from_bits(number)), ms(3_600_000));
    }
    assert!(limiter.keys() <= 10_000, "{} keys", limiter.keys());
}

proptest! {
    /// Never more than burst + rate * time in any window, and exactly what `retry_after` promises.
    #[test]
    fn the_rate_is_kept_and_waiting_as_told_helps(
        per_second in 1_u32..20, per_minute in 1_u32..60, gaps in prop::collection::vec(0_u64..3_000, 1..200),
    ) {
        let limiter = limiter(per_second, per_minute);
        let mut now = 0;
        let mut passed: Vec<u64> = Vec::new();
        for gap in gaps {
            now += gap;
            match limiter.check(A, ms(now)) {
                Ok(()) => passed.push(now),
                Err(wait) => {
                    prop_assert!(wait >= 1);
                    now += wait * 1_000;
                    prop_assert_eq!(limiter.check(A, ms(now)), Ok(()));
                    passed.push(now);
                }
            }
        }
        for (first, start) in passed.iter().enumerate() {
            for (last, end) in passed.iter().enumerate().skip(first) {
                let (count, window) = ((last - first + 1) as f64, (end - start) as f64 / 1_000.0);
                prop_assert!(count <= f64::from(per_second) * (1.0 + window) + 1e-6);
                prop_assert!(count <= f64::from(per_minute) * (1.0 + window / 60.0) + 1e-6);
            }
        }
    }
}
