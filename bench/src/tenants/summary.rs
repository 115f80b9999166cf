//! What thousands of tenants cost, in a few lines.

use std::fmt::Write as _;

use super::Fact;
use crate::{
    chart::{Bar, Chart, Group},
    machine::Machine,
    report::{self, Measurement},
    servers::insula,
    summary::{Summary, Verdict},
};

/// So many times the p99 of one tenant is promised at the most for that of all.
const FLAT: f64 = 1.5;
/// Milliseconds that the first request to a tenant is promised to take at the most.
const COLD: f64 = 10.0;
/// MiB that are promised at the most with 500 open tenants; asked of those that are open after use, too.
const MEMORY: f64 = 400.0;

/// The tables and the verdicts.
pub(super) fn text(facts: &[Fact], count: usize) -> String {
    let loads: Vec<Measurement> =
        facts.iter().filter_map(|fact| if let Fact::Load(load) = fact { Some(load.clone()) } else { None }).collect();
    let mut text = report::table(&loads, &[insula::NAME], "");
    text += "\n";
    for fact in facts {
        let _ = match fact {
            Fact::Times { what, tenants, p50_ms, p99_ms, longest_ms } => {
                writeln!(text, "{what} ({tenants}): p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, longest {longest_ms:.2} ms")
            }
            Fact::Memory { what, tenants, open, kib } => {
                writeln!(text, "memory {what}: {:.1} MiB with {tenants} known, {open} open", *kib as f64 / 1024.0)
            }
            Fact::Load(_) => Ok(()),
        };
    }
    text + "\n" + &each(facts, count) + &fewer(facts) + &verdicts(facts, &loads)
}

/// How flat it stays, and what it holds.
pub(super) fn charts(facts: &[Fact], machine: &Machine) -> Vec<Chart> {
    let p99 = |heading: &str, workloads: &[&str]| {
        let of = |workload: &&str| {
            let rounds = facts.iter().filter_map(|fact| match fact {
                Fact::Load(load) if load.workload == *workload => Some(f64::from(load.speed.p99)),
                _ => None,
            });
            Bar::new(&workload.trim_end_matches(", all open").replace("schema ", ""), rounds.collect())
        };
        Group { heading: heading.to_owned(), bars: workloads.iter().filter_map(of).collect() }
    };
    let groups = [
        p99("1,000 open at the most", &["1 tenant", "100 tenants", "100, schema changes", "all tenants"]),
        p99("all of them open, as far as files go", &["1 tenant, all open", "all tenants, all open"]),
    ];
    let memory = facts.iter().filter_map(|fact| match fact {
        Fact::Memory { what, tenants, open, kib } => {
            let heading = format!("{what}: {tenants} known, {open} open");
            Some(Group { heading, bars: Bar::new(insula::NAME, vec![*kib as f64 / 1024.0]).into_iter().collect() })
        }
        _ => None,
    });
    let memory: Vec<Group> = memory.collect();
    vec![
        Chart::new("p99", "reads of tenants: p99 in microseconds", &groups, machine),
        Chart::new("memory", "tenants: memory in MiB", &memory, machine),
    ]
}

/// That not all of them could be open, where that is so.
fn fewer(facts: &[Fact]) -> String {
    let fewer = facts.iter().find_map(|fact| match fact {
        Fact::Memory { what: "all open", tenants, open, .. } if open < tenants => Some((tenants, open)),
        _ => None,
    });
    fewer.map_or_else(String::new, |(tenants, open)| {
        format!(
            "\"All open\" are {open} of the {tenants} tenants: one process may not have files open for more here.\n"
        )
    })
}

/// What one tenant adds to the memory.
fn each(facts: &[Fact], count: usize) -> String {
    let mut text = String::new();
    let kib = |wanted: &str, known: usize, open: usize| {
        facts.iter().find_map(|fact| match fact {
            Fact::Memory { what, tenants, open: opened, kib }
                if (*what, *tenants, *opened) == (wanted, known, open) =>
            {
                Some(*kib as f64)
            }
            _ => None,
        })
    };
    let rest = kib("at rest", count, 0);
    if let Some((all, one)) = rest.zip(kib("at rest", 1, 0)) {
        let _ = writeln!(text, "memory per known tenant: {:.3} KiB", (all - one) / count as f64);
    }
    for fact in facts {
        if let (Fact::Memory { what: "open" | "all open", open, kib, .. }, Some(rest)) = (fact, rest) {
            let _ =
                writeln!(text, "memory per open tenant: {:.0} KiB ({open} open)", (*kib as f64 - rest) / *open as f64);
        }
    }
    text
}

fn verdicts(facts: &[Fact], loads: &[Measurement]) -> String {
    let mut text = String::new();
    let p99 = |workload: &str| {
        let summary = Summary::of(loads.iter().filter(|load| load.workload == workload));
        summary.map(|summary| f64::from(summary.p99))
    };
    let pairs = [
        ("all tenants", "1 tenant", "1,000 open at the most"),
        ("100 tenants", "1 tenant", "all of them open"),
        ("100, schema changes", "100 tenants", "while the schema of another changes"),
        ("all tenants, all open", "1 tenant, all open", "max_open raised"),
    ];
    for (of, beside, how) in pairs {
        if let Some((of_p99, beside_p99)) = p99(of).zip(p99(beside)) {
            let _ = writeln!(text, "p99 of {of} by {beside} ({how}): {}", Verdict::new(of_p99, beside_p99, FLAT));
        }
    }
    for fact in facts {
        match fact {
            Fact::Times { what: "first request", p50_ms, .. } => {
                let _ = writeln!(text, "median of first requests, ms: {}", Verdict::new(*p50_ms, 1.0, COLD));
            }
            Fact::Memory { what: what @ ("open" | "after use"), kib, .. } => {
                let mebibytes = *kib as f64 / 1024.0;
                let _ = writeln!(text, "memory {what}, MiB: {}", Verdict::new(mebibytes, 1.0, MEMORY));
            }
            _ => {}
        }
    }
    text
}
