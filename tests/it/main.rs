//! The integration tests: the real binary and the real parts over real sockets.

mod tidy;
