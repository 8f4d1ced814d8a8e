//! Images of containers and volumes.

use anyhow::Result;
use serde_json::{Value, json};

use super::super::layer::Layer;
use super::{AMD64, Layout, MANIFEST};

pub(super) fn add(layout: &mut Layout<'_>) -> Result<()> {
    let config = json!({
        "User": "1000",
        "Entrypoint": ["/bin/once"],
        "Cmd": ["--now", ""],
        "Env": ["PATH=/bin", "EMPTY="],
        "WorkingDir": "/work",
    });
    layout.one("fixture.example/once:1", &config, &[program("once")?])?;
    layout.one("fixture.example/once:2", &config, &[program("once")?])?;
    layout.one("fixture.example/plain:1", &json!({}), &[program("plain")?])?;
    let label = r#"{"capabilities": ["CAP_NET_BIND_SERVICE"], "readonly": true, "net": "host"}"#;
    layout.one(
        "fixture.example/web:1",
        &labelled(label),
        &[program("web")?],
    )?;
    layout.one(
        "fixture.example/full:1",
        &labelled(FULL_LABEL),
        &[program("full")?],
    )?;
    let bad = labelled("name: x\nnosuchkey: 1\n");
    layout.one("fixture.example/bad-label:1", &bad, &[program("bad")?])?;
    volumes(layout)
}

fn labelled(label: &str) -> Value {
    json!({
        "Cmd": ["/bin/image-command"],
        "Env": ["IMAGE=1"],
        "WorkingDir": "/image",
        "Labels": {"org.mobyproject.config": label},
    })
}

/// Every key there is, in YAML.
const FULL_LABEL: &str = r"command: [/bin/label-command]
env: [LABEL=1]
cwd: /label
capabilities: [CAP_CHOWN, CAP_NET_ADMIN]
ambient: [CAP_CHOWN]
binds: [/etc/label:/etc/label:ro, /dev:/dev]
mounts: [{type: tmpfs, destination: /label-mount, options: [ro]}]
tmpfs: [/label-tmp:size=1m]
devices: [{path: all, type: c}, {path: /dev/label, type: b, major: 8, minor: 1, mode: '0640'}]
net: new
ipc: new
uts: new
pid: host
userns: new
hostname: label
readonly: true
maskedPaths: [/proc/label]
readonlyPaths: [/proc/sys/label]
uid: 11
gid: 12
additionalGids: [13, 14]
noNewPrivileges: true
oomScoreAdj: -11
rootfsPropagation: shared
cgroupsPath: /label
resources: {pids: {limit: 11}, memory: {limit: 1048576}}
sysctl: {net.label: '1'}
annotations: {label: '1'}
rlimits: ['nofile,11,12']
runtime:
  cgroups: [label]
  mounts: [{type: bind, source: /label-source, destination: label-destination, options: [bind]}]
  mkdir: [label-dir]
  interfaces: [{name: label0, add: veth, peer: label1, createInRoot: true}]
  bindNS: {net: /run/label-net, uts: /run/label-uts}
  namespace: label
";

fn program(name: &str) -> Result<Vec<u8>> {
    let mut layer = Layer::new();
    layer
        .dir("bin", 0o711)?
        .file(&format!("bin/{name}"), 0o755, name.as_bytes())?
        .hardlink("bin/alias", &format!("bin/{name}"))?
        .dir("etc", 0o700)?
        .file("etc/resolv.conf", 0o600, b"nameserver 10.0.0.1\n")?;
    layer.finish()
}

fn volumes(layout: &mut Layout<'_>) -> Result<()> {
    let platforms = [
        AMD64,
        ("arm64", Some("v8")),
        ("arm", Some("v7")),
        ("arm", Some("v6")),
    ];
    let shared = {
        let mut layer = Layer::new();
        layer
            .dir("shared", 0o750)?
            .file("shared/file", 0o640, b"shared")?;
        layer.finish()?
    };
    let mut manifests = Vec::new();
    for platform in platforms {
        let mut layer = Layer::new();
        layer.file("for", 0o644, format!("{platform:?}").as_bytes())?;
        let layers = [shared.clone(), layer.finish()?];
        manifests.push(layout.manifest(platform, &json!({"Cmd": ["/for"]}), &layers)?);
    }
    manifests.push(attestation(layout)?);
    layout.index("fixture.example/data:1", &manifests)?;
    layout.index("fixture.example/data:2", &manifests[..2])
}

/// As BuildKit stores one: an image of no platform.
fn attestation(layout: &Layout<'_>) -> Result<Value> {
    let config = json!({
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [super::digest(b"{}")]},
    });
    let kind = "application/vnd.oci.image.config.v1+json";
    let config = layout.blob(kind, config.to_string().as_bytes())?;
    let layer = layout.blob("application/vnd.in-toto+json", b"{}")?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [layer],
    });
    let mut descriptor = layout.blob(MANIFEST, manifest.to_string().as_bytes())?;
    descriptor["platform"] = json!({"architecture": "unknown", "os": "unknown"});
    descriptor["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    Ok(descriptor)
}
