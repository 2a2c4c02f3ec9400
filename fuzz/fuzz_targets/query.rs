//! See `mcp_registry_proxy::fuzzing::query`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mcp_registry_proxy::fuzzing::query(data));
