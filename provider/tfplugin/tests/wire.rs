//! Calls that Terraform 1.11 doesn't make, over the wire.

mod common;

use std::time::{Duration, Instant};

use prost::Message;
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

async fn connect(server: &Reattach) -> Channel {
    let json: serde_json::Value = serde_json::from_str(&server.environment()).unwrap();
    let path = json[common::ADDRESS]["Addr"]["String"].as_str().unwrap().to_owned();
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
    let response = grpc.unary(tonic::Request::new(Empty {}), path, codec).await?;
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
        let channel = connect(&server).await;
        let metadata: Metadata = call(&channel, "/tfplugin6.Provider/GetMetadata").await.unwrap();
        let names = |all: &[Name]| all.iter().map(|n| n.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&metadata.resources), ["toy_ami", "toy_image", "toy_thing"]);
        assert_eq!(names(&metadata.data_sources), ["toy_lookup"]);
        assert_eq!(names(&metadata.functions), ["digest", "merge"]);
        let capabilities = metadata.capabilities.unwrap();
        assert!(capabilities.plan_destroy && capabilities.schema_optional && !capabilities.moves);
        // OpenTofu asks for functions apart from the schema.
        let functions: Map = call(&channel, "/tfplugin6.Provider/GetFunctions").await.unwrap();
        assert!(functions.entries.keys().eq(["digest", "merge"]));
        let identities: Map =
            call(&channel, "/tfplugin6.Provider/GetResourceIdentitySchemas").await.unwrap();
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

/// Starts the plugin as Terraform does, without TLS, and says farewell.
#[test]
fn two_seconds_after_the_farewell_it_is_gone() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
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
    assert_eq!((parts[0], parts[1], parts[2], parts[4]), ("1", "6", "unix", "grpc"));
    let path = parts[3].to_owned();
    // SIGINT is Terraform's to interpret.
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let start = run(async move {
        let connector = tower::service_fn(move |_| {
            let path = path.clone();
            async move {
                let stream = UnixStream::connect(path).await?;
                Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
            }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = endpoint.connect_with_connector(connector).await.unwrap();
        let start = Instant::now();
        // The connection stays open.
        call::<Empty>(&channel, "/plugin.GRPCController/Shutdown").await.unwrap();
        std::mem::forget(channel);
        start
    });
    assert!(child.wait().unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(common::entries(dir.path()).is_empty());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut rest).unwrap();
    assert_eq!(rest, "", "one line on standard output");
}

#[test]
fn sigterm_ends_it_tidily() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fixture-provider"))
        .env(
            "TF_PLUGIN_MAGIC_COOKIE",
            "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
        )
        .env("TF_DISABLE_PLUGIN_TLS", "1")
        .env_remove("PLUGIN_CLIENT_CERT")
        .env("TMPDIR", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(common::entries(dir.path()).len(), 1);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(common::entries(dir.path()).is_empty());
}
