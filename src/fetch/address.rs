//! Which addresses nobody is sent to on a client's behalf.
//!
//! An address is judged as the number that is dialled, whatever it was spelt like. IPv4 is open unless a row closes it;
//! IPv6 is closed outside of `2000::/3`, the only part that is given to hosts of the public network.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub(super) &'static str);

struct Row {
    network: IpNet,
    /// Completes "which is …".
    what: &'static str,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8, what: &'static str) -> Row {
    let address = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    Row {
        network: IpNet::new_assert(address, bits),
        what,
    }
}

const fn v6(high: [u16; 3], rest: u128, bits: u8, what: &'static str) -> Row {
    let [a, b, c] = high;
    let high = (a as u128) << 112 | (b as u128) << 96 | (c as u128) << 80;
    let address = IpAddr::V6(Ipv6Addr::from_bits(high | rest));
    Row {
        network: IpNet::new_assert(address, bits),
        what,
    }
}

/// Networks that are closed, the narrower ones first: the first match names the reason. After the registries of special
/// addresses (RFC 6890 and its successors) and the metadata services of clouds.
const CLOSED: &[Row] = &[
    v4(169, 254, 169, 254, 32, "a cloud's metadata service"),
    v4(100, 100, 100, 200, 32, "a cloud's metadata service"),
    v4(168, 63, 129, 16, 32, "a cloud's own service"),
    v4(255, 255, 255, 255, 32, "the broadcast address"),
    v4(192, 0, 0, 0, 24, "reserved for protocols"),
    v4(192, 0, 2, 0, 24, "reserved for documentation"),
    v4(198, 51, 100, 0, 24, "reserved for documentation"),
    v4(203, 0, 113, 0, 24, "reserved for documentation"),
    v4(192, 88, 99, 0, 24, "a relay of 6to4"),
    v4(192, 168, 0, 0, 16, "private"),
    v4(169, 254, 0, 0, 16, "link-local"),
    v4(198, 18, 0, 0, 15, "reserved for benchmarks"),
    v4(172, 16, 0, 0, 12, "private"),
    v4(100, 64, 0, 0, 10, "of a carrier's own network"),
    v4(0, 0, 0, 0, 8, "this machine or its network"),
    v4(10, 0, 0, 0, 8, "private"),
    v4(127, 0, 0, 0, 8, "loopback"),
    v4(224, 0, 0, 0, 4, "multicast"),
    v4(240, 0, 0, 0, 4, "reserved"),
    v6([0, 0, 0], 0, 128, "unspecified"),
    v6([0, 0, 0], 1, 128, "loopback"),
    v6([0, 0, 0], 0xffff << 32, 96, "an IPv4 address in disguise"),
    v6([0, 0, 0], 0, 96, "an IPv4 address in disguise"),
    v6(
        [0xfd00, 0x0ec2, 0],
        0x254,
        128,
        "a cloud's metadata service",
    ),
    v6([0x64, 0xff9b, 0], 0, 96, "translated to IPv4"),
    v6([0x64, 0xff9b, 1], 0, 48, "translated to IPv4"),
    v6([0x100, 0, 0], 0, 64, "reserved for discarding"),
    v6([0x2001, 0xdb8, 0], 0, 32, "reserved for documentation"),
    v6([0x2001, 0, 0], 0, 32, "a tunnel of Teredo"),
    v6([0x2001, 0, 0], 0, 23, "reserved for protocols"),
    v6([0x2002, 0, 0], 0, 16, "a tunnel of 6to4"),
    v6([0x3fff, 0, 0], 0, 20, "reserved for documentation"),
    v6([0x5f00, 0, 0], 0, 16, "reserved for segment routing"),
    v6([0xfc00, 0, 0], 0, 7, "private"),
    v6([0xfe80, 0, 0], 0, 10, "link-local"),
    v6([0xfec0, 0, 0], 0, 10, "private"),
    v6([0xff00, 0, 0], 0, 8, "multicast"),
];

/// What a host of the public IPv6 network has.
const PUBLIC_V6: Row = v6([0x2000, 0, 0], 0, 3, "");

/// Whether anybody may be sent there.
pub(super) fn classify(address: IpAddr) -> Result<(), Refused> {
    let mut rows = CLOSED.iter();
    if let Some(row) = rows.find(|row| row.network.contains(&address)) {
        return Err(Refused(row.what));
    }
    if address.is_ipv6() && !PUBLIC_V6.network.contains(&address) {
        return Err(Refused("no address of the public network"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let address = text.parse().expect("an address");
        let refused = classify(address).err().map(|Refused(what)| what);
        assert_eq!(refused, expected, "{text}");
    }

    #[test]
    fn both_edges_of_every_closed_network_are_refused_and_their_neighbours_are_not() {
        // The last address before, the first in, the last in, the first behind.
        for (before, first, last, behind) in [
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
            (
                "100.63.255.255",
                "100.64.0.0",
                "100.127.255.255",
                "100.128.0.0",
            ),
            (
                "126.255.255.255",
                "127.0.0.0",
                "127.255.255.255",
                "128.0.0.0",
            ),
            (
                "169.253.255.255",
                "169.254.0.0",
                "169.254.255.255",
                "169.255.0.0",
            ),
            (
                "172.15.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "172.32.0.0",
            ),
            ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
            ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
            (
                "192.88.98.255",
                "192.88.99.0",
                "192.88.99.255",
                "192.88.100.0",
            ),
            (
                "192.167.255.255",
                "192.168.0.0",
                "192.168.255.255",
                "192.169.0.0",
            ),
            (
                "198.17.255.255",
                "198.18.0.0",
                "198.19.255.255",
                "198.20.0.0",
            ),
            (
                "198.51.99.255",
                "198.51.100.0",
                "198.51.100.255",
                "198.51.101.0",
            ),
            (
                "203.0.112.255",
                "203.0.113.0",
                "203.0.113.255",
                "203.0.114.0",
            ),
            (
                "168.63.129.15",
                "168.63.129.16",
                "168.63.129.16",
                "168.63.129.17",
            ),
            (
                "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001::",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:200::",
            ),
            (
                "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db9::",
            ),
            (
                "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2002::",
                "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2003::",
            ),
        ] {
            check(before, None);
            check(behind, None);
            for inside in [first, last] {
                let refused = classify(inside.parse().expect("an address"));
                assert!(refused.is_err(), "{inside}");
            }
        }
        check("0.255.255.255", Some("this machine or its network"));
        check("1.0.0.0", None);
        check("223.255.255.255", None);
        check("224.0.0.0", Some("multicast"));
        check("240.0.0.0", Some("reserved"));
        check("255.255.255.255", Some("the broadcast address"));
    }

    #[test]
    fn whatever_carries_an_address_of_ipv4_is_refused_as_such() {
        for (text, what) in [
            ("::ffff:127.0.0.1", "an IPv4 address in disguise"),
            ("::ffff:8.8.8.8", "an IPv4 address in disguise"),
            ("::127.0.0.1", "an IPv4 address in disguise"),
            ("64:ff9b::7f00:1", "translated to IPv4"),
            ("64:ff9b:1::7f00:1", "translated to IPv4"),
            ("2002:7f00:1::", "a tunnel of 6to4"),
            ("2001::7f00:1", "a tunnel of Teredo"),
        ] {
            check(text, Some(what));
        }
    }

    #[test]
    fn of_ipv6_only_the_public_part_is_open() {
        for (text, what) in [
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("fd00:ec2::254", "a cloud's metadata service"),
            ("fd12:3456::1", "private"),
            ("fe80::1", "link-local"),
            ("fec0::1", "private"),
            ("ff02::1", "multicast"),
            ("100::1", "reserved for discarding"),
            ("2001:10::1", "reserved for protocols"),
            ("2001:20::1", "reserved for protocols"),
            ("3fff::1", "reserved for documentation"),
            ("5f00::1", "reserved for segment routing"),
            ("4000::1", "no address of the public network"),
            ("1fff:ffff::1", "no address of the public network"),
            ("8000::1", "no address of the public network"),
        ] {
            check(text, Some(what));
        }
        for text in [
            "2606:4700::1111",
            "2a00:1450:4001::200e",
            "2000::1",
            "3ffe::1",
        ] {
            check(text, None);
        }
    }
}
