//! A provider served from this process, for TF_REATTACH_PROVIDERS.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::net::UnixListener;
use tokio::sync::watch;

use crate::protocol::route::Routes;
use crate::provider::{AnyProvider, Provider};
use crate::serve::{Socket, accept};
use crate::server::Server;

/// A provider that Terraform connects to instead of starting it. Stops when
/// dropped.
#[derive(Debug)]
pub struct Reattach {
    address: String,
    socket: Socket,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Reattach {
    /// Serves `provider` as `address`, for instance
    /// `registry.terraform.io/nodeimage/nodeimage`.
    pub fn start<P: Provider>(address: &str, provider: P) -> Self {
        let provider = AnyProvider::new(provider).unwrap_or_else(|e| panic!("{e}"));
        let socket = Socket::new().expect("no directory for a socket");
        let stop = watch::Sender::new(false);
        let server = Arc::new(Server::new(provider).reused());
        let routes = Routes::new(server, watch::Sender::new(false));
        let listener = std::os::unix::net::UnixListener::bind(socket.path()).expect("can't listen");
        listener.set_nonblocking(true).expect("can't listen");
        let mut stopped = stop.subscribe();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("no runtime");
            runtime.block_on(async {
                let listener = UnixListener::from_std(listener).expect("can't listen");
                let serving = tonic::transport::Server::builder()
                    .serve_with_incoming(routes, accept(listener, None));
                tokio::select! {
                    result = serving => result.expect("the server failed"),
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            });
            runtime.shutdown_background();
        });
        Self {
            address: address.to_owned(),
            socket,
            stop,
            thread: Some(thread),
        }
    }

    /// The value of TF_REATTACH_PROVIDERS.
    pub fn environment(&self) -> String {
        serde_json::json!({
            &self.address: {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": std::process::id(),
                "Test": true,
                "Addr": { "Network": "unix", "String": self.socket.path() },
            }
        })
        .to_string()
    }
}

impl Drop for Reattach {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed.
            let _ = thread.join();
        }
    }
}
