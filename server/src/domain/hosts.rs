//! Names and addresses by which a machine is called, and which of them a certificate for it should bear.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most names in one certificate: a machine with hundreds of addresses (a container host) keeps a certificate of a size
/// that every client takes.
const MOST: usize = 100;

/// A name or address in a certificate (RFC 5280, section 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// A DNS name in lower case, possibly with `*` as its first label.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl Host {
    /// Reads a name or an address; `None` for what a certificate cannot bear.
    pub fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Some(Self::Address(address));
        }
        let name = text.trim_end_matches('.').to_ascii_lowercase();
        let labels = name.strip_prefix("*.").unwrap_or(&name);
        let good = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        // A name whose last label is a number is an address that went wrong (RFC 1123, section 2.1).
        let numeric = labels.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        (name.len() <= 253 && !numeric && labels.split('.').all(good)).then_some(Self::Name(name))
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// What a certificate for this machine bears: what it calls itself, that name in multicast DNS (RFC 6762), `localhost`,
/// its addresses, and what its owner added. Addresses that mean nothing without an interface are left out.
pub fn of_machine(hostname: &str, addresses: &[IpAddr], added: &[Host]) -> BTreeSet<Host> {
    let label = hostname.split('.').next().unwrap_or_default();
    let named = [hostname.to_owned(), format!("{label}.local"), "localhost".to_owned()];
    let fixed = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let of_interfaces = addresses.iter().copied().filter(|address| match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_loopback() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_loopback() && !v6.is_unspecified(),
    });
    let mut hosts: BTreeSet<Host> = added.iter().cloned().collect();
    hosts.extend(named.iter().filter_map(|name| Host::parse(name)));
    hosts.extend(fixed.map(Host::Address));
    for address in of_interfaces {
        if hosts.len() >= MOST {
            break;
        }
        hosts.insert(Host::Address(address));
    }
    hosts
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    fn shown(hosts: &BTreeSet<Host>) -> Vec<String> {
        hosts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_and_addresses_are_told_apart() {
        assert_eq!(Host::parse("NAS.Home.").unwrap(), Host::Name("nas.home".to_owned()));
        assert_eq!(Host::parse("*.example.org").unwrap(), Host::Name("*.example.org".to_owned()));
        assert_eq!(Host::parse("192.168.1.2").unwrap(), Host::Address([192, 168, 1, 2].into()));
        assert_eq!(Host::parse("[fd00::1]").unwrap(), Host::parse("fd00::1").unwrap());
        for bad in [
            "",
            "a..b",
            "-a",
            "a-",
            "a b",
            "nas:8443",
            "https://nas",
            "nas/",
            "192.168.1",
            "*",
            "näs",
            "a.*.b",
        ] {
            assert_eq!(Host::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_machine_is_called_by_its_name_its_addresses_and_what_its_owner_says() {
        let addresses: Vec<IpAddr> = ["192.168.1.2", "127.0.0.1", "fe80::1", "fd00::2"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let added = [Host::parse("cloud.example.org").unwrap()];
        assert_eq!(
            shown(&of_machine("nas", &addresses, &added)),
            [
                "cloud.example.org",
                "localhost",
                "nas",
                "nas.local",
                "127.0.0.1",
                "192.168.1.2",
                "::1",
                "fd00::2"
            ]
        );
        assert!(shown(&of_machine("nas.example.org", &[], &[])).contains(&"nas.local".to_owned()));
        assert!(!shown(&of_machine("näs", &[], &[])).iter().any(|name| name.contains("xn")));
    }

    #[test]
    fn very_many_addresses_do_not_make_a_certificate_without_end() {
        let addresses: Vec<IpAddr> =
            (0..500_u32).map(|n| IpAddr::from((0x0a00_0001 + n).to_be_bytes())).collect();
        let hosts = of_machine("nas", &addresses, &[]);
        assert!(hosts.len() <= MOST && hosts.contains(&Host::Name("nas".to_owned())));
    }
}
