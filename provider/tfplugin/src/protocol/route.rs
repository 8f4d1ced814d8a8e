//! gRPC calls to the functions that answer them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::sync::watch;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::message::Empty;
use crate::server::Server;

/// Of requests and responses; tonic's own limit is 4 MiB, which a configuration
/// exceeds easily.
pub(crate) const MAX_MESSAGE: usize = 256 << 20;

const PROVIDER: &str = "/tfplugin6.Provider/";
const SHUTDOWN: &str = "/plugin.GRPCController/Shutdown";

/// All services of the plugin.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    server: Arc<Server>,
    shutdown: watch::Sender<bool>,
    running: Arc<AtomicUsize>,
}

impl Routes {
    /// `shutdown` becomes true when Terraform has no more calls.
    pub(crate) fn new(server: Arc<Server>, shutdown: watch::Sender<bool>) -> Self {
        Self {
            server,
            shutdown,
            running: Arc::default(),
        }
    }

    /// The number of calls in progress, even if their caller is gone.
    pub(crate) fn running(&self) -> Arc<AtomicUsize> {
        self.running.clone()
    }

    async fn answer(self, request: http::Request<Body>) -> http::Response<Body> {
        let path = request.uri().path().to_owned();
        if path == SHUTDOWN {
            let shutdown = self.shutdown.clone();
            let done = move |_: &Server, _: Empty| {
                shutdown.send_replace(true);
                Empty {}
            };
            return self.unary(request, done).await;
        }
        match path.strip_prefix(PROVIDER).unwrap_or_default() {
            "GetMetadata" => self.unary(request, Server::metadata).await,
            "GetProviderSchema" => self.unary(request, Server::schema).await,
            "GetResourceIdentitySchemas" => self.unary(request, Server::identity_schemas).await,
            "GetFunctions" => self.unary(request, Server::functions).await,
            "ValidateProviderConfig" => self.unary(request, Server::validate_provider).await,
            "ValidateResourceConfig" => self.unary(request, Server::validate_resource).await,
            "ValidateDataResourceConfig" => self.unary(request, Server::validate_data).await,
            "ConfigureProvider" => self.unary(request, Server::configure).await,
            "UpgradeResourceState" => self.unary(request, Server::upgrade).await,
            "ReadResource" => self.unary(request, Server::read).await,
            "PlanResourceChange" => self.unary(request, Server::plan).await,
            "ApplyResourceChange" => self.unary(request, Server::apply).await,
            "ImportResourceState" => self.unary(request, Server::import).await,
            "ReadDataSource" => self.unary(request, Server::read_data).await,
            "CallFunction" => self.unary(request, Server::call).await,
            "StopProvider" => self.unary(request, Server::stop).await,
            _ => Status::unimplemented(format!(
                "this provider has no {path}: it offers resources, data sources and functions of \
                 plugin protocol 6"
            ))
            .into_http(),
        }
    }

    async fn unary<Q, R, F>(self, request: http::Request<Body>, f: F) -> http::Response<Body>
    where
        Q: prost::Message + Default + 'static,
        R: prost::Message + Default + 'static,
        F: FnOnce(&Server, Q) -> R + Clone + Send + 'static,
    {
        Grpc::new(ProstCodec::<R, Q>::default())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
            .unary(Call(self, f), request)
            .await
    }
}

impl tower_service::Service<http::Request<Body>> for Routes {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let routes = self.clone();
        Box::pin(async move { Ok(routes.answer(request).await) })
    }
}

/// One blocking call.
struct Call<F>(Routes, F);

impl<Q, R, F> UnaryService<Q> for Call<F>
where
    Q: Send + 'static,
    R: Send + 'static,
    F: FnOnce(&Server, Q) -> R + Clone + Send + 'static,
{
    type Response = R;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Status>> + Send>>;

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let (server, f) = (self.0.server.clone(), self.1.clone());
        let running = Running::new(self.0.running.clone());
        let request = request.into_inner();
        Box::pin(async move {
            // Not cancelled with its caller: a half-made resource is finished
            // and, if need be, cleaned up.
            let result = tokio::task::spawn_blocking(move || {
                let _running = running;
                f(&server, request)
            });
            match result.await {
                Ok(response) => Ok(Response::new(response)),
                Err(error) => Err(Status::internal(format!("the provider crashed: {error}"))),
            }
        })
    }
}

struct Running(Arc<AtomicUsize>);

impl Running {
    fn new(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
