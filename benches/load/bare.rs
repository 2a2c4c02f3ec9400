//! hyper alone: each port has one answer, made before anybody asks.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;

use crate::answers::Answer;
use crate::arguments::BareSettings;
use crate::processes::Process;
use crate::server::{self, Protocol};
use crate::{Outcome, stop};

/// The server as a process of its own.
#[derive(Debug)]
pub(crate) struct Bare {
    process: Process,
}

impl Bare {
    pub(crate) fn start(directory: &Path, answers: &[Answer]) -> Outcome<Self> {
        let file = directory.join("answers.json");
        std::fs::write(&file, serde_json::to_vec(answers)?)?;
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = Process::start("bare hyper", command.arg("bare").arg("--answers").arg(file))?;
        for port in answers.iter().map(|answer| answer.port) {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            stop::until("bare hyper listens", Duration::from_millis(20), Duration::from_secs(20), || {
                process.check()?;
                Ok(std::net::TcpStream::connect(address).is_ok())
            })?;
        }
        Ok(Self { process })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

/// The server itself, in the runtime that the proxy has.
pub(crate) fn serve(settings: &BareSettings) -> Outcome<()> {
    server::end_with_parent()?;
    let answers: Vec<Answer> = serde_json::from_slice(&std::fs::read(&settings.answers)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut servers = tokio::task::JoinSet::new();
        for answer in answers {
            let (headers, status) = (answer.headers()?, StatusCode::from_u16(answer.status)?);
            let body = Bytes::from(std::fs::read(&answer.body)?);
            let protocol = if answer.is_http2 { Protocol::Http2 } else { Protocol::Http1 };
            let listener = server::listen(answer.port)?;
            servers.spawn(server::serve(listener, protocol, move |_| constant(status, &headers, &body)));
        }
        servers.join_next().await.ok_or("there is nothing to answer")??
    })
}

fn constant(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.clone()));
    *response.status_mut() = status;
    *response.headers_mut() = headers.clone();
    response
}
