//! `[limits]` of the configuration: one table for the administrator, of what registries and clients may cost. What
//! enforces a limit owns its meaning and its default.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use crate::registry::duration;
use crate::registry::limits::{
    HIGHEST_ENTRY_SIZE, HIGHEST_LISTING_SIZE, HIGHEST_LISTING_VERSIONS, Limits as RegistryLimits,
};
use crate::serve::{Limits as ClientLimits, size};

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// The largest answer of a registry, decompressed.
    #[serde(deserialize_with = "size")]
    pub max_response_size: ByteSize,
    /// The largest answer of a registry, as it comes compressed.
    #[serde(deserialize_with = "size")]
    pub max_compressed_size: ByteSize,
    /// The largest entry.
    #[serde(deserialize_with = "size")]
    pub max_entry_size: ByteSize,
    /// The most JSON of one registry's listing.
    #[serde(deserialize_with = "size")]
    pub max_listing_size: ByteSize,
    /// The most versions of one registry.
    pub max_listing_versions: usize,
    /// The most pages of one walk.
    pub max_pages: u32,
    /// How long one page may take.
    #[serde(deserialize_with = "duration::required")]
    pub request_timeout: Duration,
    /// How long a walk may take.
    #[serde(deserialize_with = "duration::required")]
    pub walk_timeout: Duration,
    /// The most connections of clients at a time.
    pub connections: usize,
    /// The most connections of one address at a time; 0 for as many as there may be.
    pub connections_per_address: usize,
    /// The most requests whose answers are being made at a time.
    pub requests: usize,
    /// The most bytes of answers that are on their way to clients at a time.
    #[serde(deserialize_with = "size")]
    pub max_sending_size: ByteSize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let (registries, clients) = (RegistryLimits::default(), ClientLimits::default());
        let size = |bytes: usize| ByteSize::b(bytes as u64);
        Self {
            max_response_size: size(registries.max_response_size),
            max_compressed_size: size(registries.max_compressed_size),
            max_entry_size: size(registries.max_entry_size),
            max_listing_size: size(registries.max_listing_size),
            max_listing_versions: registries.max_listing_versions,
            max_pages: registries.max_pages,
            request_timeout: registries.request_timeout,
            walk_timeout: registries.walk_timeout,
            connections: clients.connections,
            connections_per_address: clients.connections_per_address,
            requests: clients.requests,
            max_sending_size: size(clients.max_sending_size),
        }
    }
}

const SIZES: [RangeInclusive<ByteSize>; 3] = [
    ByteSize::kib(1)..=ByteSize::gib(1),
    ByteSize::kib(1)..=ByteSize::b(HIGHEST_ENTRY_SIZE as u64),
    ByteSize::mib(1)..=ByteSize::b(HIGHEST_LISTING_SIZE as u64),
];

impl LimitsConfig {
    /// The part that concerns registries.
    #[must_use]
    pub fn of_registries(&self) -> RegistryLimits {
        RegistryLimits {
            max_response_size: bytes(self.max_response_size),
            max_compressed_size: bytes(self.max_compressed_size),
            max_entry_size: bytes(self.max_entry_size),
            max_listing_size: bytes(self.max_listing_size),
            max_listing_versions: self.max_listing_versions,
            max_pages: self.max_pages,
            request_timeout: self.request_timeout,
            walk_timeout: self.walk_timeout,
        }
    }

    /// The part that concerns clients.
    #[must_use]
    pub fn of_clients(&self) -> ClientLimits {
        ClientLimits {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            requests: self.requests,
            max_sending_size: bytes(self.max_sending_size),
        }
    }

    /// The keys whose values make no sense, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let [answer, entry, total] = &SIZES;
        let sizes = [
            ("max_response_size", self.max_response_size, answer),
            ("max_compressed_size", self.max_compressed_size, answer),
            ("max_entry_size", self.max_entry_size, entry),
            ("max_listing_size", self.max_listing_size, total),
            ("max_sending_size", self.max_sending_size, total),
        ];
        let sizes = sizes.into_iter().filter(|(_, size, range)| !range.contains(size));
        let mut problems: Vec<_> = sizes
            .map(|(key, size, range)| (key, format!("is {size}; it must be {} to {}", range.start(), range.end())))
            .collect();
        let counts = [
            ("max_listing_versions", self.max_listing_versions, 1..=HIGHEST_LISTING_VERSIONS),
            ("max_pages", self.max_pages as usize, 1..=10_000_000),
            ("connections", self.connections, 1..=1_000_000),
            ("connections_per_address", self.connections_per_address, 0..=1_000_000),
            ("requests", self.requests, 1..=1_000_000),
        ];
        let counts = counts.into_iter().filter(|(_, count, range)| !range.contains(count));
        problems.extend(
            counts.map(|(key, count, range)| {
                (key, format!("is {count}; it must be {} to {}", range.start(), range.end()))
            }),
        );
        // A walk is given up after 15 minutes without a page: one page must fit in.
        if !(Duration::from_millis(100)..=Duration::from_mins(15)).contains(&self.request_timeout) {
            problems.push(("request_timeout", "must be 100ms to 15m".to_owned()));
        }
        if !(Duration::from_secs(1)..=Duration::from_hours(7 * 24)).contains(&self.walk_timeout) {
            problems.push(("walk_timeout", "must be 1s to 168h".to_owned()));
        }
        problems
    }
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_parts_and_make_sense() {
        let config = LimitsConfig::default();
        assert!(config.problems().is_empty(), "{:?}", config.problems());
        assert_eq!(config.of_registries(), RegistryLimits::default());
        assert_eq!(config.of_clients(), ClientLimits::default());
    }

    #[test]
    fn values_outside_of_their_range_are_named_by_their_key() {
        let config = LimitsConfig {
            max_response_size: ByteSize::b(1023),
            max_entry_size: ByteSize::mib(17),
            max_pages: 0,
            requests: 0,
            request_timeout: Duration::from_mins(16),
            ..LimitsConfig::default()
        };
        let problems = config.problems();
        let keys: Vec<_> = problems.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["max_response_size", "max_entry_size", "max_pages", "requests", "request_timeout"]);
        assert_eq!(problems[0].1, "is 1023 B; it must be 1.0 KiB to 1.0 GiB");
    }
}
