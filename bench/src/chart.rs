//! Pictures of what was measured: how many requests a second each server did, say, and how far its rounds lay apart.

use std::fmt::Write as _;

use crate::{
    machine::Machine,
    report::{self, Measurement},
    servers::{parse, pocketbase, postgrest},
};

const WIDTH: f64 = 760.0;
const MARGIN: f64 = 24.0;
/// Where the bars begin, after the servers' names.
const LEFT: f64 = 168.0;
/// Where the longest bar ends; behind it is room for its number.
const RIGHT: f64 = 650.0;
const BAR: f64 = 20.0;
const STEP: f64 = 30.0;
const HEADING: f64 = 34.0;
const TOP: f64 = 62.0;
const FOOT: f64 = 40.0;

/// Colours that one can read on white and on black.
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#334155}
.title{font-size:17px;font-weight:600;fill:#0f172a}.note,.spread-note{font-size:11px;fill:#64748b}
.group{font-weight:600}.name{text-anchor:end}.own{font-weight:600;fill:#0f766e}
.page{fill:#fff}.grid{stroke:#e2e8f0}.tick{font-size:11px;fill:#94a3b8;text-anchor:middle}
.insula{fill:#0d9488}.bare{fill:#94a3b8}.peer{fill:#6366f1}.spread{stroke:#0f172a;stroke-width:1.5}
@media(prefers-color-scheme:dark){.page{fill:#0f172a}text{fill:#cbd5e1}.title{fill:#f8fafc}.own{fill:#2dd4bf}
.grid{stroke:#1e293b}.spread{stroke:#f8fafc}.note,.tick{fill:#94a3b8}}";

/// A picture and the name it is kept under.
pub(crate) struct Chart {
    pub(crate) name: String,
    pub(crate) svg: String,
}

impl Chart {
    /// A picture of groups of bars, all of one unit.
    pub(crate) fn new(name: &str, title: &str, groups: &[Group], machine: &Machine) -> Self {
        Self { name: name.to_owned(), svg: draw(title, groups, machine) }
    }
}

/// One chart for each workload.
pub(crate) fn all(measurements: &[Measurement], servers: &[&str], machine: &Machine) -> Vec<Chart> {
    let cases = report::cases(measurements);
    let mut workloads: Vec<_> = cases.iter().map(|case| case.0).collect();
    workloads.dedup();
    let chart = |workload: &str| {
        let groups: Vec<Group> = cases
            .iter()
            .filter(|case| case.0 == workload)
            .map(|&case| Group {
                heading: format!("{} in flight", case.1),
                bars: servers.iter().filter_map(|server| speeds(measurements, case, server)).collect(),
            })
            .collect();
        Chart::new(workload, &format!("{workload}: requests per second"), &groups, machine)
    };
    workloads.into_iter().map(chart).collect()
}

/// What a server did in all rounds of a case.
fn speeds(measurements: &[Measurement], case: (&str, usize), server: &str) -> Option<Bar> {
    let of_it = measurements.iter().filter(|one| (one.workload, one.connections) == case && one.server == server);
    Bar::new(server, of_it.map(|one| one.speed.per_second).collect())
}

/// Bars that belong together.
pub(crate) struct Group {
    /// What they have in common.
    pub(crate) heading: String,
    pub(crate) bars: Vec<Bar>,
}

/// One number of several rounds.
pub(crate) struct Bar {
    name: String,
    median: f64,
    least: f64,
    most: f64,
}

impl Bar {
    /// None where no round has a number.
    pub(crate) fn new(name: &str, rounds: Vec<f64>) -> Option<Self> {
        let least = rounds.iter().copied().reduce(f64::min)?;
        let most = rounds.iter().copied().reduce(f64::max)?;
        Some(Self { name: name.to_owned(), median: crate::summary::median(rounds)?, least, most })
    }

    /// How it is drawn; what is no server is a part of Insula.
    fn class(&self) -> &'static str {
        match self.name.as_str() {
            name if name.starts_with("bare") => "bare",
            pocketbase::NAME | pocketbase::FULL | postgrest::NAME | parse::NAME => "peer",
            _ => "insula",
        }
    }
}

fn draw(title: &str, groups: &[Group], machine: &Machine) -> String {
    let bars: usize = groups.iter().map(|group| group.bars.len()).sum();
    let height = TOP + groups.len() as f64 * HEADING + bars as f64 * STEP + FOOT;
    let most = groups.iter().flat_map(|group| &group.bars).map(|bar| bar.most).fold(1.0, f64::max);
    let tick = nice(most / 4.0);
    let x = |value: f64| LEFT + value / most * (RIGHT - LEFT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-label=\"{title}\">\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"34\">{title}</text>\n\
         <text class=\"note\" x=\"{MARGIN}\" y=\"53\">medians of the rounds; the line goes from the least to the most</text>\n"
    );
    // Writing to a text cannot fail.
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = writeln!(svg, "{text}");
    };
    for value in (0..).map(|number| f64::from(number) * tick).take_while(|value| *value <= most) {
        let (x, bottom) = (x(value), height - FOOT + 4.0);
        line(format_args!("<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>"));
        line(format_args!("<text class=\"tick\" x=\"{x:.1}\" y=\"{}\">{}</text>", bottom + 13.0, thousands(value)));
    }
    let mut y = TOP;
    for Group { heading, bars } in groups {
        line(format_args!("<text class=\"group\" x=\"{MARGIN}\" y=\"{}\">{heading}</text>", y + 22.0));
        y += HEADING;
        for bar in bars {
            let (class, middle, end) = (bar.class(), y + BAR / 2.0, x(bar.median));
            let own = if class == "insula" { " own" } else { "" };
            line(format_args!(
                "<text class=\"name{own}\" x=\"{}\" y=\"{}\">{}</text>",
                LEFT - 10.0,
                middle + 4.5,
                bar.name
            ));
            let width = (end - LEFT).max(1.0);
            line(format_args!(
                "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"3\"/>"
            ));
            let (from, to) = (x(bar.least), x(bar.most));
            line(format_args!(
                "<line class=\"spread\" x1=\"{from:.1}\" y1=\"{middle}\" x2=\"{to:.1}\" y2=\"{middle}\"/>"
            ));
            let beside = to.max(end) + 8.0;
            line(format_args!("<text x=\"{beside:.1}\" y=\"{}\">{}</text>", middle + 4.5, thousands(bar.median)));
            y += STEP;
        }
    }
    let Machine { cores, processor, .. } = machine;
    let processor = processor.as_deref().unwrap_or("unknown processor").replace(['<', '&'], " ");
    line(format_args!(
        "<text class=\"note\" x=\"{MARGIN}\" y=\"{}\">{cores} cores, {processor}</text>\n</svg>",
        height - 8.0
    ));
    svg
}

/// The next number that people count in: 1, 2 or 5 with noughts.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

/// `12,345`, and one digit behind the point for small numbers.
fn thousands(value: f64) -> String {
    if value > 0.0 && value < 10.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (number, digit) in digits.chars().enumerate() {
        if number > 0 && (digits.len() - number) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{nice, thousands};

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0.0, 3.25, 12.4, 999.6, 1_234_567.0].map(thousands), ["0", "3.2", "12", "1,000", "1,234,567"]);
        let rounded = [0.3, 7.0, 1_300.0, 50_000.0].map(|number| nice(number).to_string());
        assert_eq!(rounded, ["0.5", "10", "2000", "50000"]);
    }
}
