//! See `mcp_registry_proxy::fuzzing::store`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mcp_registry_proxy::fuzzing::store(data));
