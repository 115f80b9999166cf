//! Values from one side to the other.

use kernel::{Network, Span, network::check_list};
use toml_edit::Value;

use crate::{Setting, Unit};

impl Setting {
    /// Insula's value for one of SeckelAPI's. The error says what was expected and repeats no value.
    pub fn to_ours(&self, theirs: &Value) -> Result<Value, String> {
        match self.unit {
            Unit::Seconds(least, most) => {
                let seconds =
                    number(theirs, least, most).ok_or_else(|| format!("{} of seconds", range(least, most)))?;
                Ok(Span::seconds(seconds.unsigned_abs()).to_string().into())
            }
            unit => unit.checked(theirs),
        }
    }

    /// SeckelAPI's value for one of Insula's. The error says what cannot be said there.
    pub fn to_theirs(&self, ours: &Value) -> Result<Value, String> {
        match self.unit {
            Unit::Seconds(least, most) => {
                let span = ours.as_str().and_then(|text| text.parse::<Span>().ok());
                let seconds = span.filter(|Span(time)| time.subsec_nanos() == 0).map(|Span(time)| time.as_secs());
                let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
                let seconds = seconds.filter(|seconds| (least..=most).contains(seconds));
                seconds.map(Value::from).ok_or_else(|| "SeckelAPI counts in whole seconds".to_owned())
            }
            unit => unit.checked(ours),
        }
    }
}

impl Unit {
    /// A value that is the same on both sides.
    pub(crate) fn checked(self, value: &Value) -> Result<Value, String> {
        let good = match self {
            Self::Bool => value.as_bool().map(drop).ok_or_else(|| "true or false".to_owned()),
            Self::Number(least, most) | Self::Seconds(least, most) => {
                number(value, least, most).map(drop).ok_or_else(|| range(least, most))
            }
            Self::Word(words) => value
                .as_str()
                .filter(|word| words.contains(word))
                .map(drop)
                .ok_or_else(|| format!("one of {}", words.join(", "))),
            Self::Networks => networks(value)
                .then_some(())
                .ok_or_else(|| "a list of addresses and CIDR blocks, none of them of all addresses".to_owned()),
        };
        let mut same = value.clone();
        same.decor_mut().clear();
        good.map(|()| same)
    }
}

fn number(value: &Value, least: i64, most: i64) -> Option<i64> {
    value.as_integer().filter(|number| (least..=most).contains(number))
}

fn range(least: i64, most: i64) -> String {
    format!("a whole number from {least} to {most}")
}

fn networks(value: &Value) -> bool {
    let network = |item: &Value| item.as_str().and_then(|text| text.parse::<Network>().ok());
    let list = value.as_array().and_then(|list| list.iter().map(network).collect::<Option<Vec<_>>>());
    list.is_some_and(|list| check_list(&list).is_ok())
}
