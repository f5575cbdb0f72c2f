//! A name server of ours. A name says itself what it stands for, so there is no table to fill:
//!
//! - `a7f000001.test`: that IPv4 address; `b` and 32 digits: that IPv6 address; several such labels: all of them.
//! - `f…` and `s…`: the first address and the second one in turns.
//! - any other label means nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// A name that stands for these addresses.
pub fn name(addresses: &[&str]) -> String {
    let labels = addresses.iter().map(|text| match parse(text) {
        IpAddr::V4(address) => format!("a{:08x}.", address.to_bits()),
        IpAddr::V6(address) => format!("b{:032x}.", address.to_bits()),
    });
    labels.collect::<String>() + "test"
}

/// The `number`th name that stands for one address and then for another.
pub fn changing(number: usize, first: &str, second: &str) -> String {
    let bits = |text| match parse(text) {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(_) => panic!("{text} is no IPv4 address"),
    };
    format!("n{number}.f{:08x}.s{:08x}.test", bits(first), bits(second))
}

fn parse(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

const A: u16 = 1;
const AAAA: u16 = 28;

/// Answers until the process ends.
pub fn serve() {
    let socket = UdpSocket::bind("127.0.0.1:53").expect("the port of names");
    std::thread::spawn(move || {
        let mut asked = HashMap::new();
        let mut query = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut query) {
            let answer = answer(&query[..length], &mut asked);
            let _ = socket.send_to(&answer.unwrap_or_default(), client);
        }
    });
}

/// The reply to a query; `None` if it is none. `asked` counts how often a name that changes was looked up.
fn answer(query: &[u8], asked: &mut HashMap<String, usize>) -> Option<Vec<u8>> {
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    let question = query.get(12..at + 4)?;
    let found = addresses(&labels, kind, asked);
    let records: Vec<Vec<u8>> = found
        .iter()
        .map(|address| match address {
            IpAddr::V4(address) => record(A, &address.octets()),
            IpAddr::V6(address) => record(AAAA, &address.octets()),
        })
        .collect();
    let is_known = labels.last().is_some_and(|last| last == "test");
    let code = if is_known { 0 } else { 3 };
    let mut reply = query.get(..2)?.to_vec();
    reply.extend([0x85, 0x80 | code, 0, 1, 0]);
    reply.push(u8::try_from(records.len()).expect("a few"));
    reply.extend([0; 4]);
    reply.extend(question);
    reply.extend(records.concat());
    Some(reply)
}

/// A record of the name that was asked for, with no time to live.
fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut record = vec![0xc0, 12];
    record.extend(kind.to_be_bytes());
    record.extend([0, 1, 0, 0, 0, 0]);
    record.extend(u16::try_from(data.len()).expect("4 or 16").to_be_bytes());
    record.extend(data);
    record
}

fn addresses(labels: &[String], kind: u16, asked: &mut HashMap<String, usize>) -> Vec<IpAddr> {
    let v4 = |sort: char| {
        labels.iter().filter_map(move |label| {
            let digits = label.strip_prefix(sort).filter(|it| it.len() == 8)?;
            let bits = u32::from_str_radix(digits, 16).ok()?;
            Some(IpAddr::V4(Ipv4Addr::from_bits(bits)))
        })
    };
    let v6 = labels.iter().filter_map(|label| {
        let digits = label.strip_prefix('b').filter(|it| it.len() == 32)?;
        let bits = u128::from_str_radix(digits, 16).ok()?;
        Some(IpAddr::V6(Ipv6Addr::from_bits(bits)))
    });
    match kind {
        A => match v4('f').next().zip(v4('s').next()) {
            None => v4('a').collect(),
            Some((first, second)) => {
                let count = asked.entry(labels.join(".")).or_default();
                *count += 1;
                vec![if *count % 2 == 1 { first } else { second }]
            }
        },
        AAAA => v6.collect(),
        _ => Vec::new(),
    }
}
