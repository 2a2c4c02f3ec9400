//! nginx with `proxy_cache` and the proxy as its origin: the same bytes out of another cache.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::client::Client;
use crate::processes::{Process, free_port};
use crate::{Outcome, stop};

/// A running nginx: two workers, as the proxy has on two cores.
#[derive(Debug)]
pub(crate) struct Nginx {
    process: Process,
    /// HTTP/1.1.
    pub(crate) plain: SocketAddr,
    /// HTTP/2 without TLS.
    pub(crate) http2: SocketAddr,
    /// The same cache behind a port that says whether it was hit, which costs the others nothing.
    telling: SocketAddr,
}

impl Nginx {
    pub(crate) fn start(directory: &Path, origin: SocketAddr) -> Outcome<Self> {
        let directory = directory.join("nginx");
        fs::create_dir_all(&directory)?;
        let [plain, http2, telling] = [free_port()?, free_port()?, free_port()?];
        let text = configuration(&directory, origin, [plain, http2, telling]);
        let file = directory.join("nginx.conf");
        fs::write(&file, text)?;
        let mut command = Command::new(program());
        command.arg("-p").arg(&directory).arg("-c").arg(&file).arg("-e").arg("stderr");
        let mut process = Process::start("nginx", &mut command)?;
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        stop::until("nginx listens", Duration::from_millis(20), Duration::from_secs(20), || {
            process.check()?;
            Ok(std::net::TcpStream::connect(at(telling)).is_ok())
        })?;
        Ok(Self { process, plain: at(plain), http2: at(http2), telling: at(telling) })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Lets it fetch an answer, and makes sure that it has it from then on.
    pub(crate) fn warm(&self, client: &Client, target: &str, headers: &[(String, String)]) -> Outcome<()> {
        // It has written its file a moment after its client has got the answer.
        let what = format!("nginx keeps the answer to {target}");
        stop::until(&what, Duration::from_millis(5), Duration::from_secs(5), || {
            Ok(client.get(self.telling, target, headers)?.header("x-cache") == "HIT")
        })
    }
}

/// Debian has it where users do not look.
pub(crate) fn program() -> &'static str {
    if Path::new("/usr/sbin/nginx").is_file() { "/usr/sbin/nginx" } else { "nginx" }
}

fn configuration(directory: &Path, origin: SocketAddr, [plain, http2, telling]: [u16; 3]) -> String {
    let directory = directory.display();
    // As root it would give its files to somebody who cannot enter our directory.
    let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
    format!(
        "{user}
worker_processes 2;
worker_rlimit_nofile 16384;
daemon off;
pid {directory}/pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  sendfile on;
  gzip off;
  keepalive_requests 1000000000;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  proxy_cache_path {directory}/cache levels=1:2 keys_zone=answers:64m inactive=1d max_size=8g use_temp_path=off;
  proxy_cache answers;
  proxy_cache_key \"$request_uri $http_accept_encoding\";
  proxy_cache_valid any 1d;
  proxy_ignore_headers Cache-Control Expires Vary Set-Cookie X-Accel-Expires;
  proxy_http_version 1.1;
  proxy_set_header Connection \"\";
  server {{ listen 127.0.0.1:{plain} backlog=1024; location / {{ proxy_pass http://{origin}; }} }}
  server {{ listen 127.0.0.1:{http2} http2 backlog=1024; location / {{ proxy_pass http://{origin}; }} }}
  server {{
    listen 127.0.0.1:{telling};
    location / {{ proxy_pass http://{origin}; add_header X-Cache $upstream_cache_status always; }}
  }}
}}
"
    )
}
