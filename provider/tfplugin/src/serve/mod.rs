//! Running as Terraform's plugin.
//!
//! Terraform starts the provider with a magic cookie in the environment; it
//! answers with one line on standard output that says where it listens, and
//! with which certificate. Both sides check the other's certificate, made for
//! this one run. When Terraform is done it says so, and the process has two
//! seconds to go.

mod connection;
mod handshake;
mod lifetime;
mod socket;
mod tls;

use std::io::Write;
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::sync::watch;

use crate::protocol::route::Routes;
use crate::provider::{AnyProvider, Provider};
use crate::schema::SchemaError;
use crate::server::Server;
pub(crate) use connection::accept;
pub use handshake::is_plugin_launch;
use handshake::{Request, Security};
pub(crate) use socket::Socket;

/// What came of [`serve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launch {
    /// Terraform didn't start this process: act as a command-line program.
    NotAPlugin,
    /// Terraform is done; exit now.
    Served,
}

/// Why the provider can't serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Terraform speaks other versions of the protocol.
    #[error(
        "this Terraform speaks plugin protocol {offered}, this provider only 6: use Terraform \
         1.11 or newer"
    )]
    Protocol {
        /// What Terraform offered.
        offered: String,
    },
    /// Terraform sent no certificate.
    #[error(
        "PLUGIN_CLIENT_CERT is missing: Terraform must send a certificate, or set TF_DISABLE_PLUGIN_TLS (for tests only)"
    )]
    NoClientCertificate,
    /// The connection can't be secured.
    #[error("the connection to Terraform can't be secured: {0}")]
    Tls(String),
    /// The operating system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        source: std::io::Error,
    },
    /// A schema has faults.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl ServeError {
    fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

/// Serves Terraform until it is done, if it was Terraform that started this
/// process.
///
/// Standard output belongs to the handshake: print nothing there. An error
/// belongs on standard error, and a non-zero exit status to it.
///
/// ```no_run
/// # fn my_provider() -> impl tfplugin::Provider { Nothing }
/// # struct Nothing;
/// # impl tfplugin::Provider for Nothing {
/// #     type Config = (); type Data = (); const NAME: &'static str = "nothing";
/// #     fn configure(&self, _: &mut tfplugin::Cx, _: &()) -> Result<(), tfplugin::Diagnostics> { Ok(()) }
/// #     fn registry(&self) -> tfplugin::Registry { tfplugin::Registry::new() }
/// # }
/// match tfplugin::serve(my_provider()) {
///     Ok(tfplugin::Launch::Served) => {}
///     Ok(tfplugin::Launch::NotAPlugin) => println!("usage: …"),
///     Err(error) => {
///         eprintln!("{error}");
///         std::process::exit(1);
///     }
/// }
/// ```
///
/// # Errors
/// If Terraform can't be served.
pub fn serve<P: Provider>(provider: P) -> Result<Launch, ServeError> {
    let Some(request) = handshake::request(|name| std::env::var(name).ok())? else {
        return Ok(Launch::NotAPlugin);
    };
    crate::log::init();
    let provider = AnyProvider::new(provider)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(ServeError::io("can't start threads"))?;
    let result = runtime.block_on(run(provider, request));
    // A call that doesn't end must not keep the process.
    runtime.shutdown_background();
    result.map(|()| Launch::Served)
}

async fn run(provider: AnyProvider, request: Request) -> Result<(), ServeError> {
    let parent = lifetime::Parent::current();
    let socket = socket::Socket::new().map_err(ServeError::io("can't make a socket"))?;
    let listener =
        UnixListener::bind(socket.path()).map_err(ServeError::io("can't listen on a socket"))?;
    let (acceptor, certificate) = match &request.security {
        Security::Mutual { client } => {
            let (acceptor, certificate) = tls::acceptor(client)?;
            (Some(acceptor), certificate)
        }
        Security::None => (None, Vec::new()),
    };
    let server = Arc::new(Server::new(provider));
    let shutdown = watch::Sender::new(false);
    let routes = Routes::new(server.clone(), shutdown.clone());
    let running = routes.running();
    // Before Terraform is told: it may interrupt any time after.
    let signals = lifetime::Signals::catch().map_err(ServeError::io("can't catch signals"))?;

    let line = handshake::line(&request, socket.path(), &certificate);
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .map_err(ServeError::io("can't write to standard output"))?;
    drop(stdout);

    let incoming = connection::accept(listener, acceptor);
    let mut stop = shutdown.subscribe();
    let serving = tonic::transport::Server::builder().serve_with_incoming_shutdown(
        routes,
        incoming,
        async move {
            // An error means that nothing can ask for it any more.
            let _ = stop.wait_for(|stop| *stop).await;
        },
    );
    lifetime::until_done(serving, &server, &running, &shutdown, signals, parent).await;
    Ok(())
}
