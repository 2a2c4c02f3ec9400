//! How many connections each client address has, where that is limited.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections of each address. As many addresses are known as have connections.
#[derive(Debug)]
pub(super) struct Addresses {
    most: usize,
    connections: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection of an address, until it is dropped.
#[derive(Debug)]
pub(super) struct Connected {
    address: IpAddr,
    addresses: Arc<Addresses>,
}

impl Addresses {
    /// At most so many connections of each.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, connections: Mutex::default() })
    }

    /// Counts a connection, unless its address has as many as it may have.
    pub(super) fn connect(self: &Arc<Self>, address: IpAddr) -> Option<Connected> {
        let address = client(address);
        let mut connections = self.connections();
        let count = connections.entry(address).or_default();
        if self.most <= *count {
            return None;
        }
        *count += 1;
        drop(connections);
        Some(Connected { address, addresses: Arc::clone(self) })
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut connections = self.addresses.connections();
        if let Some(count) = connections.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.address);
            }
        }
    }
}

/// Who an address stands for: with IPv6, everybody has a network of 64 bits.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_connections_and_no_more() {
        let addresses = Addresses::new(2);
        let connect = |address: &str| addresses.connect(address.parse().expect("an address"));
        let first = connect("192.0.2.1").expect("the first");
        let _second = connect("::ffff:192.0.2.1").expect("the second, of the same address");
        assert!(connect("192.0.2.1").is_none());
        let _other = connect("192.0.2.2").expect("another address");
        drop(first);
        drop(connect("192.0.2.1").expect("room again"));
        let _network = (connect("2001:db8::1").expect("room"), connect("2001:db8::2").expect("room"));
        assert!(connect("2001:db8::3").is_none());
        assert!(connect("2001:db8:0:1::1").is_some());
        assert_eq!(addresses.connections().len(), 3, "who has gone is forgotten");
    }
}
