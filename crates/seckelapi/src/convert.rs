//! Values from one side to the other.

use std::net::IpAddr;

use ipnet::IpNet;
use kernel::Span;
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
            _ => self.checked(theirs),
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
            _ => self.checked(ours),
        }
    }

    /// A value that is the same on both sides.
    fn checked(&self, value: &Value) -> Result<Value, String> {
        let good = match self.unit {
            Unit::Bool => value.as_bool().map(drop).ok_or_else(|| "true or false".to_owned()),
            Unit::Number(least, most) | Unit::Seconds(least, most) => {
                number(value, least, most).map(drop).ok_or_else(|| range(least, most))
            }
            Unit::Networks => networks(value)
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
    if most == i64::MAX {
        format!("a whole number from {least}")
    } else {
        format!("a whole number from {least} to {most}")
    }
}

fn networks(value: &Value) -> bool {
    let is_network = |text: &str| match text.parse::<IpAddr>() {
        Ok(_) => true,
        Err(_) => text.parse::<IpNet>().is_ok_and(|network| network.prefix_len() > 0 && !maps_all(&network)),
    };
    value.as_array().is_some_and(|list| list.iter().all(|item| item.as_str().is_some_and(is_network)))
}

/// `::ffff:0.0.0.0/96` is all of IPv4.
fn maps_all(network: &IpNet) -> bool {
    matches!(network, IpNet::V6(six) if six.prefix_len() == 96 && six.addr().to_ipv4_mapped().is_some())
}
