//! Calls that Terraform 1.11 doesn't make, over the wire.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use prost::Message;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tfplugin::testing::Reattach;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, Message)]
struct Empty {}

/// Fields 1 to 5 of GetMetadata's response, as names.
#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(message, optional, tag = "1")]
    capabilities: Option<Capabilities>,
    #[prost(message, repeated, tag = "3")]
    data_sources: Vec<Name>,
    #[prost(message, repeated, tag = "4")]
    resources: Vec<Name>,
    #[prost(message, repeated, tag = "5")]
    functions: Vec<Name>,
}

#[derive(Clone, PartialEq, Message)]
struct Capabilities {
    #[prost(bool, tag = "1")]
    plan_destroy: bool,
    #[prost(bool, tag = "2")]
    schema_optional: bool,
    #[prost(bool, tag = "3")]
    moves: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Name {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Map {
    #[prost(btree_map = "string, bytes", tag = "1")]
    entries: std::collections::BTreeMap<String, Vec<u8>>,
}

async fn connect(path: String) -> Channel {
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move {
            let stream = UnixStream::connect(path).await?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
        }
    });
    Endpoint::from_static("http://localhost")
        .connect_with_connector(connector)
        .await
        .unwrap()
}

async fn call<R: Message + Default + 'static>(
    channel: &Channel,
    path: &'static str,
) -> Result<R, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let codec = ProstCodec::<Empty, R>::default();
    let path = http::uri::PathAndQuery::from_static(path);
    let response = grpc
        .unary(tonic::Request::new(Empty {}), path, codec)
        .await?;
    Ok(response.into_inner())
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(test)
}

#[test]
fn calls_of_other_clients() {
    let server = Reattach::start(common::ADDRESS, common::toy::Toy);
    run(async {
        let json: serde_json::Value = serde_json::from_str(&server.environment()).unwrap();
        let path = json[common::ADDRESS]["Addr"]["String"].as_str().unwrap();
        let channel = connect(path.to_owned()).await;
        let metadata: Metadata = call(&channel, "/tfplugin6.Provider/GetMetadata")
            .await
            .unwrap();
        let names = |all: &[Name]| all.iter().map(|n| n.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            names(&metadata.resources),
            ["toy_ami", "toy_image", "toy_thing"]
        );
        assert_eq!(names(&metadata.data_sources), ["toy_lookup"]);
        assert_eq!(names(&metadata.functions), ["digest", "merge"]);
        let capabilities = metadata.capabilities.unwrap();
        assert!(capabilities.plan_destroy && capabilities.schema_optional && !capabilities.moves);
        // OpenTofu asks for functions apart from the schema.
        let functions: Map = call(&channel, "/tfplugin6.Provider/GetFunctions")
            .await
            .unwrap();
        assert!(functions.entries.keys().eq(["digest", "merge"]));
        let identities: Map = call(&channel, "/tfplugin6.Provider/GetResourceIdentitySchemas")
            .await
            .unwrap();
        assert!(identities.entries.is_empty());
        for path in [
            "/tfplugin6.Provider/MoveResourceState",
            "/tfplugin6.Provider/UpgradeResourceIdentity",
            "/tfplugin6.Provider/OpenEphemeralResource",
            "/tfplugin6.Provider/ListResource",
            "/tfplugin6.Provider/GenerateResourceConfig",
            "/tfplugin6.Provider/PlanAction",
            "/plugin.GRPCBroker/StartStream",
            "/plugin.GRPCStdio/StreamStdio",
        ] {
            let status = call::<Empty>(&channel, path).await.unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{path}");
            assert!(status.message().contains(path), "{}", status.message());
        }
    });
}

/// A plugin, started as Terraform does, but without TLS.
struct Plugin {
    child: Child,
    stdout: BufReader<ChildStdout>,
    socket: String,
    dir: TempDir,
}

fn plugin() -> Plugin {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fixture-provider"))
        .env(
            "TF_PLUGIN_MAGIC_COOKIE",
            "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
        )
        .env("PLUGIN_PROTOCOL_VERSIONS", "6,5")
        .env("TF_DISABLE_PLUGIN_TLS", "1")
        .env_remove("PLUGIN_CLIENT_CERT")
        .env("TMPDIR", dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let parts: Vec<&str> = line.trim_end().split('|').collect();
    assert_eq!(
        (parts[0], parts[1], parts[2], parts[4]),
        ("1", "6", "unix", "grpc")
    );
    let socket = parts[3].to_owned();
    Plugin {
        child,
        stdout,
        socket,
        dir,
    }
}

impl Plugin {
    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends well, leaves nothing behind, and has said no more on standard output.
    fn ends_tidily(&mut self) {
        assert!(self.child.wait().unwrap().success());
        assert!(common::entries(self.dir.path()).is_empty());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

#[test]
fn two_seconds_after_the_farewell_it_is_gone() {
    let mut plugin = plugin();
    // SIGINT is Terraform's to interpret.
    plugin.signal(Signal::INT);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The connection stays open.
    let channel = runtime.block_on(connect(plugin.socket.clone()));
    let start = Instant::now();
    let farewell = call::<Empty>(&channel, "/plugin.GRPCController/Shutdown");
    runtime.block_on(farewell).unwrap();
    plugin.ends_tidily();
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    drop(channel);
}

#[test]
fn sigterm_ends_it_tidily() {
    let mut plugin = plugin();
    assert_eq!(common::entries(plugin.dir.path()).len(), 1);
    plugin.signal(Signal::TERM);
    plugin.ends_tidily();
}
