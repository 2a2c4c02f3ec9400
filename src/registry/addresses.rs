//! Which addresses a registry's name may lead to. Pure.
//!
//! A configured host may be private or loopback: the administrator said so. It is never link-local, where clouds
//! keep their credentials. And a name that led to the public network never leads into the private one later: whoever
//! holds the name's zone could otherwise have us ask what only we can reach (DNS rebinding).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing that can be a registry; what it is instead.
    Never(&'static str),
    /// This machine.
    Loopback,
    /// A network of somebody's own.
    Private,
    /// Everybody's network.
    Public,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Never(what) => what,
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

const LINK_LOCAL: Kind = Kind::Never("link-local");
const METADATA: Kind = Kind::Never("a cloud's metadata service");
const MULTICAST: Kind = Kind::Never("multicast");
const RESERVED: Kind = Kind::Never("reserved");

/// What an address is for (the IANA's special-purpose registries). An IPv6 address that stands for an IPv4 one is
/// what that is.
pub(super) fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => {
            let inner = inner_v4(address).map(kind_v4);
            inner.or_else(|| kind_of_local_nat64(address)).unwrap_or_else(|| kind_v6(address))
        }
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        // The wildcard: connecting to it reaches this machine.
        [0, 0, 0, 0] | [127, ..] => Kind::Loopback,
        // Not link-local, but the same service: Alibaba's, Azure's, Oracle's.
        [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => METADATA,
        [169, 254, ..] => LINK_LOCAL,
        [224..=239, ..] => MULTICAST,
        [255, 255, 255, 255] => Kind::Never("broadcast"),
        [0 | 240..=255, ..] | [192, 0, 0, _] => RESERVED,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [198, 18 | 19, ..] => Kind::Private,
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Kind::Loopback,
        // Amazon's, Google's, Oracle's: among the unique local ones, and the same everywhere.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254]
        | [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254]
        | [0xfd00, 0x00c1, 0, 0, 0, 0, 0xa9fe, 0xa9fe] => METADATA,
        [0xfe80..=0xfebf, ..] => LINK_LOCAL,
        [0xff00..=0xffff, ..] => MULTICAST,
        // Unique local, and the site-local of old.
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Kind::Private,
        // Discarding (RFC 6666), and whatever else is not handed out; Teredo's tunnels lead anywhere.
        [0..=0x0100, ..] | [0x2001, 0, ..] => RESERVED,
        _ => Kind::Public,
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056).
fn inner_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x0064, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(join(high, low))
        }
        _ => None,
    }
}

/// What an address of NAT64 of one's own is for (`64:ff9b:1::/48`, RFC 8215). How long the translator's prefix is,
/// only its owner knows, and so where in the address the IPv4 one stands (RFC 6052 §2.2). So wherever it may stand, it
/// must not be what no registry has. Beyond that, 96 bits without a subnet say where; of any other prefix no more is
/// known than that it is somebody's own.
fn kind_of_local_nat64(address: Ipv6Addr) -> Option<Kind> {
    let [0x0064, 0xff9b, 1, rest @ ..] = address.segments() else { return None };
    let octets = address.octets();
    // Byte 8 is skipped by the prefixes that end before it.
    let [.., b6, b7, _, b9, b10, b11, b12, _, _, _] = octets;
    let [high, low] = [rest[3], rest[4]];
    let behind_96 = join(high, low);
    let possible =
        [behind_96, Ipv4Addr::new(b6, b7, b9, b10), Ipv4Addr::new(b7, b9, b10, b11), Ipv4Addr::new(b9, b10, b11, b12)];
    let forbidden = possible.into_iter().map(kind_v4).find(|kind| [LINK_LOCAL, METADATA].contains(kind));
    let usual = || if rest[..3] == [0; 3] { kind_v4(behind_96) } else { Kind::Private };
    Some(forbidden.unwrap_or_else(usual))
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

/// Where a registry's name leads, for as long as the proxy knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scope {
    /// Not resolved yet.
    #[default]
    Undecided,
    /// To the public network, and nowhere else from then on.
    Public,
    /// Into a private network, or to this machine: whoever runs it, the administrator chose it.
    Private,
}

/// Why a name's addresses are not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// There are none.
    #[error("its name has no address")]
    NoAddress,
    /// None can be a registry's.
    #[error("its name leads to {address}, which is {what} and cannot be a registry's; correct the name or its `url`")]
    Never {
        /// The first of them.
        address: IpAddr,
        /// What it is.
        what: &'static str,
    },
    /// All are private, and were public before.
    #[error(
        "its name leads to {address} now, which is {what}, and led to the public network before; that is refused, since others could lead us so into our own network. If the registry has moved there, restart the proxy"
    )]
    Moved {
        /// The first of them.
        address: IpAddr,
        /// What it is.
        what: &'static str,
    },
}

impl Scope {
    /// The addresses that may be asked of those that a name was resolved to. The first answer decides the scope; one
    /// with public and private addresses is public.
    pub(super) fn admit(&mut self, found: &[IpAddr]) -> Result<Vec<IpAddr>, Refusal> {
        let first = *found.first().ok_or(Refusal::NoAddress)?;
        let possible = || found.iter().copied().filter(|address| !matches!(kind(*address), Kind::Never(_)));
        let Some(local) = possible().next() else {
            return Err(Refusal::Never { address: first, what: kind(first).as_str() });
        };
        let public: Vec<IpAddr> = possible().filter(|address| kind(*address) == Kind::Public).collect();
        match self {
            Self::Private => return Ok(possible().collect()),
            Self::Undecided if public.is_empty() => {
                *self = Self::Private;
                return Ok(possible().collect());
            }
            Self::Undecided => *self = Self::Public,
            Self::Public if public.is_empty() => {
                return Err(Refusal::Moved { address: local, what: kind(local).as_str() });
            }
            Self::Public => {}
        }
        Ok(public)
    }
}

/// Why an address that the configuration names cannot be a registry's.
pub(super) fn problem(address: IpAddr) -> Option<String> {
    match kind(address) {
        Kind::Never(what) => Some(format!("names {address}, which is {what} and cannot be a registry's")),
        Kind::Loopback | Kind::Private | Kind::Public => None,
    }
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
