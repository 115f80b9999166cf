//! Schedules: when, and what.

use std::time::Duration;

use kernel::identifier::is_identifier;

use super::Draft;
use crate::schedule::{Rhythm, Schedule};

const LONGEST: Duration = Duration::from_mins(10);

impl Draft<'_> {
    /// The schedules that are switched on.
    pub(super) fn schedules(&mut self) -> Vec<Schedule> {
        let mut read = Vec::new();
        for (name, schedule) in self.file.scheduled_queries.clone() {
            let key = format!("scheduled_queries.{name}");
            if !is_identifier(&name) {
                self.complaints.add(&key, "a schedule's name is letters, digits and _");
            }
            if schedule.timeout.0.is_zero() || schedule.timeout.0 > LONGEST {
                self.complaints.add(&format!("{key}.timeout"), "write a time up to \"10m\"");
            }
            let rhythm = match (&schedule.cron, schedule.every) {
                (Some(cron), None) => Rhythm::cron(cron, schedule.timezone.as_deref()),
                (None, Some(_)) if schedule.timezone.is_some() => {
                    Err(("timezone", "it goes with cron; leave it out".to_owned()))
                }
                (None, Some(every)) => Rhythm::every(every),
                (Some(_), Some(_)) => Err(("every", "write either cron or every".to_owned())),
                (None, None) => Err(("cron", "write cron = \"0 6 * * *\" or every = \"1h\"".to_owned())),
            };
            let rhythm = rhythm.map_err(|(at, problem)| self.complaints.add(&format!("{key}.{at}"), problem));
            let at = format!("{key}.pseudo_querys");
            if schedule.pseudo_querys.is_empty() {
                self.complaints.add(&at, "a schedule asks at least one query; write their names");
            }
            let steps = self.steps(&at, &schedule.pseudo_querys, true);
            if let (Ok(rhythm), Some(steps)) = (rhythm, steps) {
                let timeout = schedule.timeout.0;
                if schedule.enabled {
                    read.push(Schedule { name, rhythm, steps, timeout });
                }
            }
        }
        read
    }
}
