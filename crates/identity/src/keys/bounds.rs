//! What a key may be given: never more than its maker has.

use std::net::IpAddr;

use ipnet::IpNet;
use kernel::{Error, Group, KeyKind, Reason, Result, ability};

use crate::{IdentityConfig, keys::Key};

const LONGEST_NAME: usize = 100;
const MOST_ADDRESSES: usize = 64;
const MOST_ORIGINS: usize = 64;
const LONGEST_ORIGIN: usize = 255;
/// What a publishable key may do at the most: it is in the hands of everybody.
const PUBLISHABLE: &str = "data.";

fn invalid(field: impl Into<String>, message: impl Into<String>) -> Error {
    Error::new(Reason::FieldInvalid, message).at(field)
}

/// Checks what a key is to be called.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let length = name.chars().count();
    if (1..=LONGEST_NAME).contains(&length) && !name.chars().any(char::is_control) && name.trim() == name {
        return Ok(());
    }
    let message = format!("A key's name has 1 to {LONGEST_NAME} characters, none of them a control character");
    Err(invalid("name", message))
}

/// Scopes that exist and that whoever gives them has: the maker's group, the group that the key acts as, and the key
/// that the maker came with. Errors: 400 `field_invalid`; 403 `ability_missing`, `scope_missing`.
pub(crate) fn checked_scopes(
    scopes: &[String],
    kind: KeyKind,
    maker: &Group,
    acting: &Group,
    by: Option<&Key>,
) -> Result<Vec<String>> {
    if scopes.is_empty() || scopes.len() > ability::ALL.len() {
        return Err(invalid("scopes", "A key needs one scope or more, each named once"));
    }
    for (index, scope) in scopes.iter().enumerate() {
        let field = || format!("scopes[{index}]");
        let unknown = || invalid(field(), "There is no such scope");
        let ability = ability::by_name(scope).ok_or_else(unknown)?;
        if scopes[..index].contains(scope) {
            return Err(invalid(field(), format!("The scope {scope} is named twice")));
        }
        if kind == KeyKind::Publishable && !scope.starts_with(PUBLISHABLE) {
            let message = "A publishable key is known to everybody and can have no scopes but those of data";
            return Err(invalid(field(), message));
        }
        if by.is_some_and(|key| !key.scopes.contains(scope)) {
            let message = format!("A key can give no scope that it lacks: {scope}");
            return Err(Error::new(Reason::ScopeMissing, message).at(field()));
        }
        for group in [maker, acting] {
            if !group.has(ability) {
                let message = format!("The group {} lacks the ability {scope}", group.name);
                return Err(Error::new(Reason::AbilityMissing, message).at(field()));
            }
        }
    }
    Ok(scopes.to_vec())
}

/// Networks of a list of addresses and CIDR blocks; those of the key that the maker came with where none is given.
pub(crate) fn checked_addresses(addresses: Option<&[String]>, by: Option<&Key>) -> Result<Vec<IpNet>> {
    let outer = by.map_or(&[][..], |key| &key.addresses);
    let Some(addresses) = addresses else { return Ok(outer.to_vec()) };
    if addresses.len() > MOST_ADDRESSES {
        return Err(invalid("addresses", format!("At most {MOST_ADDRESSES} addresses are kept")));
    }
    let mut networks = Vec::with_capacity(addresses.len());
    for (index, text) in addresses.iter().enumerate() {
        let unfit = || invalid(format!("addresses[{index}]"), "This is neither an address nor a CIDR block");
        networks.push(network(text).ok_or_else(unfit)?);
    }
    let wider = |network: &IpNet| !outer.iter().any(|outer| outer.contains(network));
    if !outer.is_empty() && (networks.is_empty() || networks.iter().any(wider)) {
        return Err(invalid("addresses", "A key can allow no address from which it may not be used itself"));
    }
    Ok(networks)
}

fn network(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text.parse::<IpNet>().ok()?,
    };
    Some(network.trunc())
}

/// Origins in the spelling that browsers send; those of the key that the maker came with where none is given.
pub(crate) fn checked_origins(origins: Option<&[String]>, kind: KeyKind, by: Option<&Key>) -> Result<Vec<String>> {
    let outer = by.map_or(&[][..], |key| &key.origins);
    let given = origins.unwrap_or(if kind == KeyKind::Server { &[] } else { outer });
    if kind == KeyKind::Server && !given.is_empty() {
        return Err(invalid("origins", "A server key may be used by no web page, so that it has no origins"));
    }
    if given.len() > MOST_ORIGINS {
        return Err(invalid("origins", format!("At most {MOST_ORIGINS} origins are kept")));
    }
    let mut checked = Vec::with_capacity(given.len());
    for (index, text) in given.iter().enumerate() {
        let unfit = || invalid(format!("origins[{index}]"), "An origin is a scheme and a host: https://example.com");
        checked.push(origin(text).ok_or_else(unfit)?);
    }
    let wider = |origin: &String| !outer.contains(origin);
    if kind != KeyKind::Server && !outer.is_empty() && (checked.is_empty() || checked.iter().any(wider)) {
        return Err(invalid("origins", "A key can allow no origin that may not use it itself"));
    }
    Ok(checked)
}

/// `https://example.com` or `http://localhost:3000`, in lower case, without the port that goes without saying.
fn origin(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://")?;
    let usual = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let rest = rest.strip_suffix(usual).unwrap_or(rest);
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let bracketed = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let sound_host = match bracketed {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(plain),
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let sound_port = port.is_none_or(|port| digits(port) && port.parse::<u16>().is_ok_and(|port| port > 0));
    (sound_host && sound_port && text.len() <= LONGEST_ORIGIN).then(|| format!("{scheme}://{rest}"))
}

/// A rate class that the settings have. A limited key can only make keys of its own class.
pub(crate) fn checked_rate_class(
    class: Option<&str>,
    settings: &IdentityConfig,
    by: Option<&Key>,
) -> Result<Option<String>> {
    let own = by.and_then(|key| key.rate_class.as_deref());
    match class {
        Some(class) if !settings.key_rate_classes.contains_key(class) => {
            Err(invalid("rate_class", "The tenant has no such rate class"))
        }
        class if own.is_some() && class.is_some() && class != own => {
            Err(invalid("rate_class", "A key of a rate class can only make keys of the same class"))
        }
        class => Ok(class.or(own).map(str::to_owned)),
    }
}

/// Whether a key stays within what another key may give, so that the other may change or replace it.
pub(crate) fn is_within(inner: &Key, inner_power: u8, outer: &Key, outer_power: u8) -> bool {
    let kinds = match outer.kind {
        KeyKind::Personal => true,
        KeyKind::Server => inner.kind != KeyKind::Personal,
        KeyKind::Publishable => false,
    };
    let addresses = outer.addresses.is_empty()
        || !inner.addresses.is_empty()
            && inner.addresses.iter().all(|network| outer.addresses.iter().any(|outer| outer.contains(network)));
    let origins = outer.origins.is_empty()
        || inner.kind == KeyKind::Server
        || !inner.origins.is_empty() && inner.origins.iter().all(|origin| outer.origins.contains(origin));
    let lives_no_longer = match (inner.expires_at, outer.expires_at) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner), Some(outer)) => inner <= outer,
    };
    let class = outer.rate_class.is_none() || inner.rate_class == outer.rate_class;
    kinds
        && inner_power <= outer_power
        && inner.scopes.iter().all(|scope| outer.scopes.contains(scope))
        && addresses
        && origins
        && lives_no_longer
        && class
}

#[cfg(test)]
#[path = "bounds_tests.rs"]
mod tests;
