//! When something runs.

use std::time::Duration;

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};

/// The shortest time between two runs.
const SHORTEST: Duration = Duration::from_secs(10);
/// The longest cron expression, which is kept with the name of its zone.
const MOST_BYTES: usize = 100;
/// The longest.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// When something runs.
#[derive(Debug, Clone)]
pub(crate) enum Rhythm {
    /// At moments of a calendar.
    Cron { cron: Box<Cron>, zone: TimeZone, text: String },
    /// After so much time again and again.
    Every { pause: Duration, text: String },
}

impl Rhythm {
    /// Reads a cron expression. Errors: the key and what is wrong.
    pub(crate) fn cron(expression: &str, timezone: Option<&str>) -> Result<Self, (&'static str, String)> {
        if expression.len() > MOST_BYTES {
            return Err(("cron", format!("write at most {MOST_BYTES} characters")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(expression).map_err(|error| {
            ("cron", format!("{error} Write minute, hour, day, month and weekday: \"0 6 * * *\" is every day at six"))
        })?;
        let name = timezone.unwrap_or("UTC");
        let zone = TimeZone::get(name).map_err(|_| {
            ("timezone", format!("there is no time zone {name:?}; write one such as \"Europe/Berlin\""))
        })?;
        let text = format!("{expression} {name}");
        let rhythm = Self::Cron { cron: Box::new(cron), zone, text };
        if rhythm.next(kernel::time::now()).is_none() {
            return Err(("cron", "it never comes".to_owned()));
        }
        Ok(rhythm)
    }

    /// Again and again. Errors: the key and what is wrong.
    pub(crate) fn every(span: kernel::Span) -> Result<Self, (&'static str, String)> {
        if span.0 < SHORTEST || span.0 > LONGEST {
            return Err(("every", "write a time from \"10s\" to \"366d\"".to_owned()));
        }
        Ok(Self::Every { pause: span.0, text: format!("every {span}") })
    }

    /// What tells it apart from others, in words.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Cron { text, .. } | Self::Every { text, .. } => text,
        }
    }

    /// The first moment after another; none where there is none.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron { cron, zone, .. } => {
                let next = cron.find_next_occurrence(&after.to_zoned(zone.clone()), false).ok()?;
                Some(next.timestamp())
            }
            Self::Every { pause, .. } => after.checked_add(*pause).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rhythm;
    use proptest::prelude::*;

    fn next(rhythm: &Rhythm, after: &str) -> String {
        rhythm.next(after.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_next_moment_is_that_of_the_zone() {
        let utc = Rhythm::cron("0 6 * * *", None).unwrap();
        assert_eq!(next(&utc, "2026-03-01T06:00:00Z"), "2026-03-02T06:00:00Z");
        let berlin = Rhythm::cron("0 6 * * *", Some("Europe/Berlin")).unwrap();
        assert_eq!(next(&berlin, "2026-07-01T00:00:00Z"), "2026-07-01T04:00:00Z");
        assert_eq!(next(&berlin, "2026-12-01T00:00:00Z"), "2026-12-01T05:00:00Z");
        let often = Rhythm::every(kernel::Span::seconds(90)).unwrap();
        assert_eq!(next(&often, "2026-03-01T06:00:00Z"), "2026-03-01T06:01:30Z");
    }

    #[test]
    fn an_hour_that_is_left_out_or_comes_twice_is_one_run() {
        let berlin = Rhythm::cron("30 2 * * *", Some("Europe/Berlin")).unwrap();
        let spring = next(&berlin, "2026-03-28T12:00:00Z");
        assert!(spring.starts_with("2026-03-29T01:"), "{spring}");
        let autumn = next(&berlin, "2026-10-25T00:31:00Z");
        assert!(autumn.starts_with("2026-10-26T01:30") || autumn.starts_with("2026-10-25T01:30"), "{autumn}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_key() {
        for (expression, zone, key) in [
            ("", None, "cron"),
            ("* * *", None, "cron"),
            ("0 0 6 * * *", None, "cron"),
            ("61 * * * *", None, "cron"),
            ("0 6 30 2 *", None, "cron"),
            ("0 6 * * *", Some("Mars/Olympus"), "timezone"),
        ] {
            assert_eq!(Rhythm::cron(expression, zone).unwrap_err().0, key, "{expression}");
        }
        assert!(Rhythm::every(kernel::Span::seconds(9)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(expression in ".{0,30}", zone in ".{0,12}") {
            let _ = Rhythm::cron(&expression, Some(&zone));
        }
    }
}
