//! Networks in the settings: `10.1.2.0/24`, or one address.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The fewest bits that the addresses of a network share that is somebody's own, such as `10.0.0.0/8` or `fd00::/8`.
pub const WIDE: u8 = 8;

/// A CIDR block or a single address. IPv4 is never written as IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Bits that all of its addresses share.
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }
}

/// Refuses a list with a network in it that is no one's own: two halves of all addresses keep out nobody, either.
pub fn check_list(networks: &[Network]) -> Result<(), String> {
    match networks.iter().find(|network| network.prefix_len() < WIDE) {
        Some(wide) => Err(format!(
            "a network as large as {wide} keeps nobody out; name the networks of your desks, /{WIDE} or smaller"
        )),
        None => Ok(()),
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => text.parse().map_err(|_| format!("{text:?} is neither an address nor a CIDR block"))?,
        };
        let IpNet::V6(six) = network else { return Ok(Self(network)) };
        // ::ffff:192.0.2.0/120 is 192.0.2.0/24.
        match (six.addr().to_ipv4_mapped(), six.prefix_len().checked_sub(96)) {
            (Some(four), Some(prefix)) => {
                IpNet::new(four.into(), prefix).map(Self).map_err(|error| format!("{text:?}: {error}"))
            }
            _ => Ok(Self(network)),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

impl schemars::JsonSchema for Network {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Network".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An address or a CIDR block.",
            "type": "string",
            "pattern": "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$",
            "examples": ["192.0.2.7", "10.0.0.0/8"],
        })
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Network, check_list};

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn addresses_and_blocks_are_told_apart_from_what_is_neither() {
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("192.0.2.0/24", "192.0.2.8") && !contains("192.0.2.0/24", "192.0.3.8"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1") && !contains("2001:db8::1", "2001:db8::2"));
        for bad in ["", "192.0.2", "192.0.2.0/33", "desk", "192.0.2.1 ", "10.0.0.1-10.0.0.9"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_ipv6_words() {
        assert!(contains("192.0.2.7", "::ffff:192.0.2.7") && contains("::ffff:192.0.2.7", "192.0.2.7"));
        assert!(contains("::ffff:192.0.2.0/120", "192.0.2.9") && !contains("::ffff:192.0.2.0/120", "192.0.3.9"));
        assert!(!contains("::/0", "192.0.2.7"));
    }

    #[test]
    fn a_list_has_no_network_of_everybody() {
        let checked = |text: &str| check_list(&[text.parse().unwrap()]);
        for good in ["10.0.0.0/8", "192.0.2.7", "fd00::/8", "2001:db8::/32"] {
            checked(good).unwrap();
        }
        for wide in ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/7", "::/0", "2000::/3", "fc00::/7"] {
            assert!(checked(wide).unwrap_err().contains(wide), "{wide}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["192.0.2.7", "192.0.2.0/24", "2001:db8::1", "2001:db8::/32"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
    }
}
