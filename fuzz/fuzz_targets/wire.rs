//! See `mcp_registry_proxy::fuzzing::wire`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mcp_registry_proxy::fuzzing::wire(data));
