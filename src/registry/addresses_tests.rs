use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is an address"))
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| ip(text)).collect()
}

#[test]
fn every_address_has_its_kind() {
    for (kind, addresses) in [
        (
            Kind::Loopback,
            &["127.0.0.1", "127.255.255.255", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"][..],
        ),
        (Kind::Loopback, &["64:ff9b::7f00:1", "2002:7f00:1::", "2002:7f00:0001:1:2:3:4:5"]),
        (
            Kind::Private,
            &["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"],
        ),
        (Kind::Private, &["100.64.0.0", "100.127.255.255", "198.18.0.1", "fc00::", "fd00::1", "fdff:ffff::1"]),
        (Kind::Private, &["::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:c0a8:101::1", "fec0::1"]),
        (Kind::Private, &["64:ff9b:1::a00:1", "64:ff9b:1:a00:0:100::", "64:ff9b:1:7::808:808"]),
        (LINK_LOCAL, &["64:ff9b:1::a9fe:a9fe", "64:ff9b:1:fffe:1:2:a9fe:a9fe"]),
        (LINK_LOCAL, &["64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:7:a9:fea9:fe00:0"]),
        (METADATA, &["fd20:ce::254", "fd00:c1::a9fe:a9fe", "64:ff9b:1::6464:64c8"]),
        (LINK_LOCAL, &["169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::", "fe80::1", "febf:ffff::1"]),
        (LINK_LOCAL, &["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"]),
        (METADATA, &["100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "::ffff:100.100.100.200"]),
        (MULTICAST, &["224.0.0.1", "239.255.255.255", "ff02::1", "ff00::", "::ffff:224.0.0.1"]),
        (Kind::Never("broadcast"), &["255.255.255.255", "::ffff:255.255.255.255"]),
        (RESERVED, &["0.0.0.1", "0.255.255.255", "240.0.0.0", "255.255.255.254", "192.0.0.1", "::127.0.0.1"]),
        (RESERVED, &["100::1", "2001::1", "::2", "64:ff9b:2::1", "64:ff9b:1::1"]),
        (
            Kind::Public,
            &["1.1.1.1", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0"],
        ),
        (Kind::Public, &["100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255"]),
        (Kind::Public, &["169.255.0.0", "223.255.255.255", "192.0.1.0", "198.17.255.255", "198.20.0.0"]),
        (
            Kind::Public,
            &[
                "2606:4700::1111",
                "2a00::1",
                "2001:4860:4860::8888",
                "::ffff:8.8.8.8",
                "64:ff9b::808:808",
                "64:ff9b:1::808:808",
            ],
        ),
        (Kind::Public, &["fe00::1", "fbff::1", "2002:808:808::1"]),
    ] {
        for address in addresses {
            assert_eq!(super::kind(ip(address)), kind, "{address}");
        }
    }
}

#[test]
fn what_can_be_no_registrys_is_left_out_and_alone_refused() {
    for scope in [Scope::Undecided, Scope::Public, Scope::Private] {
        let mut changed = scope;
        assert_eq!(changed.admit(&[]), Err(Refusal::NoAddress));
        let refused = changed.admit(&ips(&["169.254.169.254", "fe80::1"])).expect_err("nobody can be there");
        assert!(refused.to_string().contains("169.254.169.254, which is link-local"), "{refused}");
        assert_eq!(changed, scope, "what is refused decides nothing");
        let admitted = changed.admit(&ips(&["169.254.169.254", "8.8.8.8", "::ffff:169.254.0.1"]));
        assert_eq!(admitted, Ok(ips(&["8.8.8.8"])));
    }
}

#[test]
fn a_name_that_was_public_never_leads_into_the_private_network() {
    let mut scope = Scope::default();
    assert_eq!(scope.admit(&ips(&["8.8.8.8", "2a00::1"])), Ok(ips(&["8.8.8.8", "2a00::1"])));
    for rebound in
        ["127.0.0.1", "::1", "0.0.0.0", "10.0.0.1", "192.168.1.1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
    {
        let refused = scope.admit(&[ip(rebound)]).expect_err("rebinding");
        assert!(refused.to_string().contains(&ip(rebound).to_string()), "{refused}");
        assert!(refused.to_string().contains("restart"), "{refused}");
        assert_eq!(scope.admit(&ips(&[rebound, "8.8.4.4"])), Ok(ips(&["8.8.4.4"])), "the public ones are asked");
    }
    assert_eq!(scope.admit(&ips(&["8.8.8.8"])), Ok(ips(&["8.8.8.8"])), "it goes on where it was");
}

#[test]
fn a_name_that_is_private_stays_allowed_there() {
    let mut scope = Scope::default();
    assert_eq!(scope.admit(&ips(&["10.0.0.1"])), Ok(ips(&["10.0.0.1"])));
    for later in [&["10.0.0.2"][..], &["127.0.0.1"], &["8.8.8.8", "10.0.0.1"]] {
        assert_eq!(scope.admit(&ips(later)), Ok(ips(later)));
    }
}

#[test]
fn a_first_answer_with_both_is_public() {
    let mut scope = Scope::default();
    assert_eq!(scope.admit(&ips(&["127.0.0.1", "8.8.8.8"])), Ok(ips(&["8.8.8.8"])));
    assert!(scope.admit(&ips(&["127.0.0.1"])).is_err());
}

/// An address of the configuration, in whatever form it is written.
#[test]
fn no_spelling_of_an_address_hides_it() {
    let problem = |host: &str| super::super::endpoint::parse_url(&format!("http://{host}/v0/servers")).err();
    for host in [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "0xa9.0xfe.0xa9.0xfe",
        "169.254.43518",
        "169.254.169.254.",
        "%31%36%39.254.169.254",
        "169。254。169。254",
        "user@169.254.169.254",
        "169.254.169.254:22",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[fe80::1]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "[fd20:ce::254]",
        "[fd00:c1::a9fe:a9fe]",
        "[64:ff9b:1::a9fe:a9fe]",
        "224.0.0.1",
        "0.0.0.1",
        "255.255.255.255",
    ] {
        let found = problem(host).unwrap_or_default();
        assert!(found.contains("cannot be a registry's"), "{host}: {found}");
    }
    for host in ["127.0.0.1", "0x7f000001", "10.1.2.3", "[::1]", "[fd00::1]", "localhost", "localhost.", "1.1.1.1"] {
        assert_eq!(problem(host), None, "{host}");
    }
}
