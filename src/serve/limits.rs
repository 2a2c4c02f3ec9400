//! How much clients may have at a time: the incoming part of `[limits]`.

/// What clients may have at a time, of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections; further ones wait in the kernel's queue.
    pub connections: usize,
    /// Connections of one address, or of one network of 64 bits (IPv6); further ones are closed. 0 is no limit:
    /// behind a proxy, all clients have its address.
    pub connections_per_address: usize,
    /// Requests whose answers are being made; further ones are answered with 503.
    pub requests: usize,
    /// Bytes of answers that are on the way, those included that many answers share. One connection has a share.
    pub max_sending_size: usize,
}

impl Limits {
    /// What those who run the proxy may have, of the admin listener. It is for a few people and one Prometheus, and
    /// the bounds hold before any token is looked at.
    pub const ADMIN: Self =
        Self { connections: 64, connections_per_address: 0, requests: 64, max_sending_size: 16 << 20 };
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 10_000, connections_per_address: 0, requests: 2_048, max_sending_size: 256 << 20 }
    }
}
