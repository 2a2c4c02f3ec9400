//! The way to Redis: one server, one that Sentinels name, or a Cluster. A connection that has failed in whatever way is
//! given up, and the next command makes another: where a server has become a copy of another one, or has moved, that
//! finds the one to talk to. Nothing is tried again here: whoever asks does so over and over.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, FromRedisValue, IntoConnectionInfo, Pipeline, ProtocolVersion,
    PushInfo, PushKind, RedisFuture, ScriptInvocation, TlsCertificates, TlsMode, Value,
};
use tokio::sync::{Mutex, Notify};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::Fault;
use super::address::{Address, Form};

/// How long connecting may take, whatever the number of servers that have to be asked for the right one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where Redis is, and one connection to it, which all who ask share.
pub(super) struct Link {
    target: Target,
    /// How long one command may take.
    limit: Duration,
    /// What is told of by the channel, and the channel, where this connection listens.
    news: Option<(Arc<Notify>, String)>,
    connection: Mutex<Option<Connection>>,
}

enum Target {
    One(Box<Client>),
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster(Box<ClusterClient>),
}

#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(one) => one.req_packed_command(cmd),
            Self::Cluster(cluster) => cluster.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(one) => one.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(one) => one.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Where it leads may hold a password.
        formatter.debug_struct("Link").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Link {
    /// A way that nobody has gone yet. `authorities` are PEM certificates to trust in place of the platform's. Where
    /// there is a channel, what is said in it is told to `news`.
    pub(super) fn new(
        address: &Address,
        authorities: Option<&[u8]>,
        limit: Duration,
        news: Option<(Arc<Notify>, String)>,
    ) -> Result<Self, Fault> {
        let target = target(address, authorities, limit, news.as_ref())?;
        Ok(Self { target, limit, news, connection: Mutex::default() })
    }

    /// Sends a command over the connection, which is made where there is none, within the limits.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Fault> {
        let mut connection = self.within_limits().await?;
        self.answered(timeout(self.limit, command.query_async(&mut connection)).await).await
    }

    /// Runs a script, likewise.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Fault> {
        let mut connection = self.within_limits().await?;
        self.answered(timeout(self.limit, script.invoke_async(&mut connection)).await).await
    }

    /// Whether there is a connection, as far as is known.
    pub(super) async fn is_connected(&self) -> bool {
        self.connection.lock().await.is_some()
    }

    /// Makes another connection the next time.
    pub(super) async fn give_up(&self) {
        *self.connection.lock().await = None;
    }

    async fn within_limits(&self) -> Result<Connection, Fault> {
        timeout(CONNECT_TIMEOUT, self.connection()).await.map_err(|_| Fault::slow(CONNECT_TIMEOUT))?
    }

    async fn answered<T>(&self, answer: Result<redis::RedisResult<T>, Elapsed>) -> Result<T, Fault> {
        let answer =
            answer.map_err(|_| Fault::slow(self.limit)).and_then(|answer| answer.map_err(|error| Fault::of(&error)));
        if answer.is_err() {
            self.give_up().await;
        }
        answer
    }

    async fn connection(&self) -> Result<Connection, Fault> {
        let mut known = self.connection.lock().await;
        if let Some(connection) = &*known {
            return Ok(connection.clone());
        }
        let connection = self.connect().await.map_err(|error| Fault::of(&error))?;
        *known = Some(connection.clone());
        Ok(connection)
    }

    async fn connect(&self) -> redis::RedisResult<Connection> {
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.limit));
        if let Some((news, _)) = &self.news {
            config = config.set_push_sender(teller(Arc::clone(news)));
        }
        let mut connection = match &self.target {
            Target::One(client) => Connection::One(client.get_multiplexed_async_connection_with_config(&config).await?),
            Target::Sentinel(client) => {
                Connection::One(client.lock().await.get_async_connection_with_config(&config).await?)
            }
            Target::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
        };
        if let Some((_, channel)) = &self.news {
            match &mut connection {
                Connection::One(one) => one.subscribe(channel).await?,
                Connection::Cluster(cluster) => cluster.subscribe(channel).await?,
            }
        }
        Ok(connection)
    }
}

/// What is said in the channel is told to whom it concerns. What it was does not matter: they ask.
fn teller(news: Arc<Notify>) -> impl Fn(PushInfo) -> Result<(), std::convert::Infallible> + Send + Sync + 'static {
    move |push| {
        if matches!(push.kind, PushKind::Message | PushKind::SMessage) {
            news.notify_one();
        }
        Ok(())
    }
}

fn target(
    address: &Address,
    authorities: Option<&[u8]>,
    limit: Duration,
    news: Option<&(Arc<Notify>, String)>,
) -> Result<Target, Fault> {
    let certificates = authorities.map(|pem| TlsCertificates { client_tls: None, root_cert: Some(pem.to_vec()) });
    let certificates = certificates.filter(|_| address.is_tls);
    let mut nodes = Vec::new();
    for url in address.urls() {
        nodes.push(with_protocol(url.into_connection_info().map_err(|error| Fault::of(&error))?));
    }
    let target = match &address.form {
        Form::One => one(nodes, certificates),
        Form::Sentinel { service } => sentinel(&nodes, service, address.is_tls, certificates),
        Form::Cluster => {
            let mut builder = ClusterClient::builder(nodes)
                .use_protocol(ProtocolVersion::RESP3)
                .connection_timeout(CONNECT_TIMEOUT)
                .response_timeout(limit)
                // A slot that has moved is found at once; anything else, whoever asks next finds.
                .retries(2);
            if let Some(certificates) = certificates {
                builder = builder.certs(certificates);
            }
            if let Some((news, _)) = news {
                builder = builder.push_sender(teller(Arc::clone(news)));
            }
            builder.build().map(Box::new).map(Target::Cluster)
        }
    };
    target.map_err(|error| Fault::of(&error))
}

/// Messages of a channel come over the same connection.
fn with_protocol(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    info.set_redis_settings(settings)
}

fn one(nodes: Vec<ConnectionInfo>, certificates: Option<TlsCertificates>) -> redis::RedisResult<Target> {
    let node = nodes.into_iter().next().ok_or((redis::ErrorKind::InvalidClientConfig, "there is no address"))?;
    let client = match certificates {
        Some(certificates) => Client::build_with_tls(node, certificates)?,
        None => Client::open(node)?,
    };
    Ok(Target::One(Box::new(client)))
}

fn sentinel(
    nodes: &[ConnectionInfo],
    service: &str,
    is_tls: bool,
    certificates: Option<TlsCertificates>,
) -> redis::RedisResult<Target> {
    let addresses = nodes.iter().map(|node| node.addr().clone());
    let mut builder = SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?
        .set_client_to_redis_protocol(ProtocolVersion::RESP3);
    if let Some(settings) = nodes.first().map(ConnectionInfo::redis_settings) {
        builder = builder.set_client_to_redis_db(settings.db());
        if let Some(user) = settings.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_redis_password(password);
        }
    }
    if is_tls {
        builder =
            builder.set_client_to_redis_tls_mode(TlsMode::Secure).set_client_to_sentinel_tls_mode(TlsMode::Secure);
        if let Some(certificates) = certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates);
        }
    }
    Ok(Target::Sentinel(Box::new(Mutex::new(builder.build()?))))
}
