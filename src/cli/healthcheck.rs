//! `healthcheck`: asks the running proxy whether it lives, for containers that have no curl.

use std::io::{Error, ErrorKind, Read, Result as IoResult, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use serde_json::json;

use super::Failure;
use super::output::{print, report};
use crate::config::Config;

/// How long connecting and answering may take, each.
const TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// Print one JSON document: {"ok","url","problem"}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Config, command: &Healthcheck) -> Result<ExitCode, Failure> {
    let (url, problem) = ask(config);
    if command.json {
        let document = json!({ "ok": problem.is_none(), "url": url, "problem": problem });
        print(&format!("{document:#}\n"))?;
    } else if let Some(problem) = &problem {
        report(&format!("{url}: {problem}"));
    }
    Ok(if problem.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where the proxy was asked, and why it does not live.
fn ask(config: &Config) -> (String, Option<String>) {
    let address = reachable(config.server.listen);
    let (scheme, answer) = if config.server.is_encrypted() {
        ("https", encrypted(address).and_then(|stream| status_line(stream, address)))
    } else {
        ("http", connect(address).and_then(|stream| status_line(stream, address)))
    };
    let problem = match answer {
        Ok(line) if line.starts_with("HTTP/1.1 200 ") => None,
        Ok(line) => Some(format!("answered {line:?}")),
        Err(error) => Some(error.to_string()),
    };
    (format!("{scheme}://{address}/livez"), problem)
}

/// Where a listener is reached from the same host: one that takes every address takes loopback too.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

fn connect(address: SocketAddr) -> IoResult<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// A connection under TLS with whoever listens: the question is whether it lives, not who it is, and the
/// certificate is for the name that clients use, not for this address.
fn encrypted(address: SocketAddr) -> IoResult<impl Read + Write> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let verifier = Arc::new(AnyCertificate(provider));
    let config = builder.map_err(Error::other)?.dangerous().with_custom_certificate_verifier(verifier);
    let name = ServerName::from(address.ip());
    let session = ClientConnection::new(Arc::new(config.with_no_client_auth()), name).map_err(Error::other)?;
    Ok(StreamOwned::new(session, connect(address)?))
}

fn status_line(mut stream: impl Read + Write, address: SocketAddr) -> IoResult<String> {
    stream.write_all(format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if line.is_empty() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(String::from_utf8_lossy(line).into_owned()) }
}

/// Takes every certificate whose key the peer holds.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
