//! URLs that must be refused and URLs that must not, made from parts: addresses × spellings, names × records, redirects.

use super::dns::{changing, name};
use super::world::{GUARDED_V4, GUARDED_V6, OWN, PUBLIC, World};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A hostile URL.
pub struct Case {
    pub url: String,
    /// Its first server is a public one, which leads on to a guarded one.
    pub leads_on: bool,
}

/// Every way to write an IPv4 address that something in the world reads as one.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let bits = address.to_bits();
    let low = bits & 0xff_ffff;
    let plain = address.to_string();
    let wide = |text: &str| -> String {
        let digit = |it: char| it.to_digit(10).and_then(|k| char::from_u32(0xff10 + k));
        text.chars().map(|it| digit(it).unwrap_or(it)).collect()
    };
    vec![
        plain.clone(),
        format!("{plain}."),
        bits.to_string(),
        format!("0x{bits:08x}"),
        format!("0X{bits:X}"),
        format!("0{bits:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.{b}.{c:#x}.{d}"),
        format!("{a}.{low}"),
        format!("{a}.{b}.{}", u32::from(c) << 8 | u32::from(d)),
        wide(&plain),
        plain.replace('.', "。"),
        plain.replace('.', "．"),
        plain.replace('1', "%31").replace('0', "%30"),
    ]
}

/// Addresses of IPv6 that carry one of IPv4.
fn carriers(address: Ipv4Addr) -> Vec<String> {
    let bits = u128::from(address.to_bits());
    let v6 = |high: u128| format!("[{}]", Ipv6Addr::from_bits(high | bits));
    vec![
        format!("[::ffff:{address}]"),
        v6(0xffff << 32),
        format!("[0:0:0:0:0:FFFF:{address}]"),
        v6(0x0064_ff9b << 96),
        format!("[{}]", Ipv6Addr::from_bits(0x2002 << 112 | bits << 80 | 1)),
    ]
}

fn literal(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => address.to_owned(),
    }
}

fn guarded() -> impl Iterator<Item = &'static str> {
    GUARDED_V4.iter().chain(GUARDED_V6).copied()
}

pub fn hostile(world: &World) -> Vec<Case> {
    let direct = [written_out(), by_name(), beside_the_host(), tricks()].concat();
    let direct = direct.into_iter().map(|url| Case {
        url,
        leads_on: false,
    });
    let leading = by_redirect(world).into_iter().map(|url| Case {
        url,
        leads_on: true,
    });
    direct.chain(leading).collect()
}

fn written_out() -> Vec<String> {
    let mut hosts = Vec::new();
    for text in GUARDED_V4 {
        let address = text.parse().expect("an address");
        hosts.extend(spellings(address));
        hosts.extend(carriers(address));
    }
    for text in GUARDED_V6 {
        let address: Ipv6Addr = text.parse().expect("an address");
        let groups = address.segments().map(|group| format!("{group:04X}"));
        hosts.extend([format!("[{address}]"), format!("[{}]", groups.join(":"))]);
    }
    let places = ["/picture.png", ":80/", ":8080/x?y#z", ":443/"];
    let urls = hosts.iter().zip(places.iter().cycle());
    let mut urls: Vec<String> = urls
        .map(|(host, rest)| format!("http://{host}{rest}"))
        .collect();
    urls.extend(guarded().map(|it| format!("https://{}/picture.png", literal(it))));
    urls
}

fn by_name() -> Vec<String> {
    let mut names: Vec<String> = guarded().map(|it| name(&[it])).collect();
    // One guarded address among public ones, at any place and of any sort.
    for it in guarded() {
        names.push(name(&[PUBLIC[0], it]));
        names.push(name(&[it, PUBLIC[0], PUBLIC[1]]));
        names.push(name(&[PUBLIC[0], PUBLIC[2], it]));
    }
    names.extend(
        [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "inner",
            "ｌｏｃａｌｈｏｓｔ",
            "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
            "loc\u{ad}alhost",
        ]
        .map(str::to_owned),
    );
    names.extend([
        format!("bücher.{}", name(&["10.0.0.1"])),
        format!("WWW.{}.", name(&["127.0.0.1"]).to_uppercase()),
        changing(99, "127.0.0.1", "10.0.0.1"),
    ]);
    let urls = names
        .into_iter()
        .zip(["http", "http", "https"].iter().cycle());
    urls.map(|(name, scheme)| format!("{scheme}://{name}/picture.png"))
        .collect()
}

/// User names, ports and schemes.
fn beside_the_host() -> Vec<String> {
    let open = PUBLIC[0];
    let mut urls: Vec<String> = [
        "http://{open}@127.0.0.1/",
        "http://{open}:80@127.0.0.1/",
        "http://{open}:80%40@127.0.0.1:80/",
        "http://127.0.0.1@{open}/",
        "http://user@{open}/",
        "http://user:secret@{open}/",
        "http://:secret@{open}/",
        "http://127.0.0.1:80\\@{open}/",
        "http://127.0.0.1#@{open}/",
        "http://127.0.0.1?@{open}/",
        "http://127.0.0.1\t@{open}/",
        "http://{open}:@127.0.0.1/",
        "ftp://{open}/",
        "file://{open}/etc/passwd",
        "gopher://{open}:80/_GET",
        "dict://{open}:6379/info",
        "ws://{open}/",
        "jar:http://{open}/!/",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "//{open}/picture.png",
        "/picture.png",
        "http:///picture.png",
        "http://",
    ]
    .map(|url| url.replace("{open}", open))
    .to_vec();
    for port in [0, 7, 22, 25, 110, 143, 445, 3306, 5432, 6379, 11211, 27017] {
        urls.push(format!("http://{open}:{port}/"));
    }
    // Our own server, by all its addresses.
    for address in [OWN, "127.0.0.1", "0.0.0.0"] {
        urls.push(format!("http://{address}:{}/metrics", super::OWN_PORT));
    }
    urls.push(format!(
        "http://{}:{}/metrics",
        name(&[OWN]),
        super::OWN_PORT
    ));
    urls
}

fn tricks() -> Vec<String> {
    [
        "http:\\\\127.0.0.1\\picture.png",
        "http:127.0.0.1/",
        "http:/127.0.0.1/",
        "http:////127.0.0.1/",
        "  http://127.0.0.1/  ",
        "ht\ntp://127.0.0.1/",
        "http://127.0.0.1\n/",
        "http://[::1%25lo]/",
        "http://[fe80::1%25eth0]/",
        "http://[::]/",
        "http://0/",
        "http://1.2.3.4.5/",
        "http://256.256.256.256/",
        "http://0x7f.0x0.0x0.0x100/",
        "http://4294967296/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。1/",
        "http://[::ffff:7f00:1]:8080/",
        "http://[0:0:0:0:0:0:127.0.0.1]/",
        "http://224.0.0.1/",
        "http://[ff02::1]/",
        "http://255.255.255.255/",
        "http://exa mple.test/",
        "http://exa%00mple.test/",
        "http://%6c%6f%63%61%6c%68%6f%73%74/",
        "HTTP://LOCALHOST:80/",
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "http://2852039166/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/meta-data/",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn by_redirect(world: &World) -> Vec<String> {
    let mut urls = Vec::new();
    let from = |path: String| format!("http://{}{path}", PUBLIC[0]);
    for (at, it) in guarded().enumerate() {
        let status = [301, 302, 303, 307, 308][at % 5];
        let location = format!("http://{}/picture.png", literal(it));
        urls.push(from(world.redirect(status, &location)));
        let location = format!("http://{}/picture.png", name(&[it]));
        urls.push(from(world.redirect(status, &location)));
    }
    for location in [
        "//127.0.0.1/",
        "\\\\127.0.0.1\\",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost/",
        "http://127.0.0.1:8080/",
        "http://user:secret@127.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://",
    ] {
        urls.push(from(world.redirect(302, location)));
    }
    // One after the other, the last one inside.
    let last = world.redirect(302, "http://10.0.0.1/");
    let middle = world.redirect(302, &format!("http://{}{last}", PUBLIC[1]));
    urls.push(from(world.redirect(307, &middle)));
    // From TLS to none, to a public server.
    let down = world.redirect(302, &from("/picture.png".to_owned()));
    urls.push(format!("https://{}{down}", PUBLIC[0]));
    // Once too often.
    let mut path = "/picture.png".to_owned();
    for _ in 0..4 {
        path = world.redirect(302, &path);
    }
    urls.push(from(path));
    urls
}

pub fn honest(world: &World) -> Vec<String> {
    let mut urls = Vec::new();
    for text in PUBLIC.iter().filter(|it| !it.contains(':')) {
        let address = text.parse().expect("an address");
        let hosts = spellings(address);
        urls.extend(
            hosts
                .iter()
                .map(|host| format!("http://{host}/picture.png")),
        );
        urls.extend(hosts.iter().map(|host| format!("http://{host}:8080/a/b/c")));
    }
    for text in PUBLIC {
        let host = literal(text);
        urls.push(format!("http://{host}/"));
        urls.push(format!("https://{host}/picture.png"));
        urls.push(format!("https://{host}:8443/picture.png"));
        let own = name(&[text]);
        urls.push(format!("http://{own}/picture.png"));
        urls.push(format!("HTTP://{}./picture.png", own.to_uppercase()));
        urls.push(format!("https://{own}/picture.png"));
        urls.push(format!("http://bücher.{own}/straße/ä.png"));
        urls.push(format!("http://xn--bcher-kva.{own}:8080/"));
    }
    for many in [&PUBLIC[..2], &PUBLIC[1..3], &PUBLIC[2..], PUBLIC] {
        urls.push(format!("http://{}/picture.png", name(many)));
    }
    urls.push(format!("https://{}/", name(&[PUBLIC[0], PUBLIC[2]])));
    urls.push(format!("https://{}/", name(PUBLIC)));
    let home = format!("http://{}", name(&PUBLIC[..1]));
    for rest in [
        "",
        "?x=1",
        "#fragment",
        "/a b/ü.png?q=ä ö&x=http://127.0.0.1/",
        "/%2e%2e/%00/%ff",
        "/x;y=z,!$&'()*+",
        "/../../picture.png",
        "/?X-Amz-Signature=abc%2Fdef&X-Amz-Expires=300",
        "\\windows\\style",
        ":80/",
        ":080/picture.png",
        ":/picture.png",
    ] {
        urls.push(format!("{home}{rest}"));
    }
    urls.extend(
        honest_redirects(world)
            .iter()
            .map(|path| format!("{home}{path}")),
    );
    urls
}

fn honest_redirects(world: &World) -> Vec<String> {
    let elsewhere = name(&[PUBLIC[1]]);
    let once = [
        "/picture.png".to_owned(),
        "picture.png?a=b".to_owned(),
        "../picture.png".to_owned(),
        format!("http://{elsewhere}/picture.png"),
        format!("//{elsewhere}:8080/picture.png"),
        format!("https://{elsewhere}/picture.png"),
    ];
    let mut paths: Vec<String> = once
        .iter()
        .zip([301, 302, 303, 307, 308].iter().cycle())
        .map(|(location, status)| world.redirect(*status, location))
        .collect();
    let twice = world.redirect(302, &format!("http://{elsewhere}{}", paths[0]));
    paths.push(world.redirect(302, &twice));
    paths.push(twice);
    paths
}
