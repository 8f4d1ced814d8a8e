//! The same bytes wherever, whenever and however an image is built.

use std::collections::BTreeMap;

use acceptance_tests::cli::{Done, Sandbox, base_images, example, sources};
use acceptance_tests::registry::{Access, Registry};
use acceptance_tests::{fixture, tool};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

type Test = Result<()>;

/// What must not differ.
fn identity(built: &Value) -> Result<[String; 3]> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok([
        text(&built["id"]).context("no id")?,
        text(&built["disk_digest"]).context("no disk_digest")?,
        text(&built["files"][0]["sha256"]).context("no sha256")?,
    ])
}

fn built(done: &Done) -> Result<[String; 3]> {
    identity(&done.event("built")?)
}

#[test]
fn nothing_of_the_surroundings_reaches_the_bytes() -> Test {
    let sandbox = Sandbox::with_example()?;
    let build = "build --json --sha256 node.yml --dir out";
    let plain = built(&sandbox.nodeimage(build)?.success()?)?;
    std::fs::create_dir_all(sandbox.path("elsewhere/deep"))?;
    let temporary = sandbox.path("elsewhere");
    // Each with an empty store but the last.
    let odd = Sandbox::with_example()?;
    let call = odd.nodeimage("build --json --sha256 --threads 1 node.yml --dir out")?;
    let one_thread = call
        .env("TMPDIR", &temporary)
        .env("TZ", "Pacific/Kiritimati")
        .env("LANG", "tr_TR.UTF-8")
        .env("LC_ALL", "tr_TR.UTF-8")
        .env("SOURCE_DATE_EPOCH", "1")
        .after("umask 077")
        .success()?;
    ensure!(
        built(&one_thread)? == plain,
        "umask, time zone, locale, one thread"
    );

    let many = Sandbox::with_example()?;
    let call = many
        .nodeimage("build --json --sha256 --threads 4 --dir")?
        .arg(many.path("out"))
        .arg(many.path("node.yml"))
        .dir("/");
    let absolute = call.after("umask 022").success()?;
    ensure!(built(&absolute)? == plain, "absolute paths, four threads");

    let call = sandbox.nodeimage("build --json --sha256 ../../node.yml --dir ../../warm")?;
    let warm = call.dir(sandbox.path("elsewhere/deep")).success()?;
    ensure!(built(&warm)? == plain, "a warm store, another directory");
    Ok(())
}

#[test]
fn every_source_of_the_images_gives_the_same_disk() -> Test {
    let images = base_images()?;
    let sandbox = Sandbox::with_example()?;
    let from_directory = identity(&sandbox.build("out")?)?;

    let archive = Sandbox::new()?;
    archive.write("node.yml", example()?)?;
    let tar = archive.path("images.tar");
    let words = ["-cf".as_ref(), tar.as_os_str(), ".".as_ref()];
    tool::run(&images, "tar", &words)?;
    archive.write("nodeimage.toml", sources("oci-archive:images.tar"))?;
    ensure!(
        identity(&archive.build("out")?)? == from_directory,
        "oci-archive"
    );

    let pulled = Sandbox::new()?;
    pulled.write("node.yml", example()?)?;
    let registry = Registry::start(&pulled.path("registry"), Access::default())?;
    registry.push(&images)?;
    let host = registry.host();
    pulled.write(
        "nodeimage.toml",
        format!(
            "[sources]\n\"builtin\" = \"{host}/builtin\"\n\
             \"ghcr.io/nodeimage\" = \"{host}/nodeimage\"\n\
             [registries.\"{host}\"]\nplain_http = true\n"
        ),
    )?;
    ensure!(
        identity(&pulled.build("out")?)? == from_directory,
        "registry"
    );
    pulled.check_store()
}

fn fixture(yaml: &str) -> Result<Sandbox> {
    let sandbox = Sandbox::with_fixture(fixture::Codec::None)?;
    sandbox.write("node.yml", yaml)?;
    Ok(sandbox)
}

#[test]
fn spelling_is_not_identity() -> Test {
    let spelled = r#"
# The same machine, by another hand.
files: [{contents: "port = 80\n", mode: '0640', path: etc/web/web.conf},
        {symlink: web/web.conf, path: "etc/link"},
        {directory: true, path: var/empty, mode: "0700"}]
services:
- <<: &shared {net: "host", name: web}
  binds: ["/etc/web:/etc/web:ro"]
  image: fixture.example/web:1
onboot:
  - command: [ /bin/once, --now ]   # a comment
    name: 'first'
    image: >-
      fixture.example/once:1
init: ["builtin:init", "fixture.example/tools:1"]
kernel: {cmdline: console=ttyS0 quiet, image: "fixture.example/kernel:1"}
"#;
    let plain = fixture(fixture::MACHINE)?;
    // More than four mebibytes of comments, too.
    let long = format!("{}{spelled}", "# filler\n".repeat(500_000));
    let other = fixture(&long)?;
    ensure!(identity(&plain.build("out")?)? == identity(&other.build("out")?)?);

    let changed = fixture(&fixture::MACHINE.replace("port = 80", "port = 81"))?;
    let (one, two) = (plain.build("out")?, changed.build("out")?);
    ensure!(one["id"] != two["id"] && one["disk_digest"] != two["disk_digest"]);
    Ok(())
}

/// The disk that recipe 1 makes of the fixture. **No later change may alter these values.** A
/// change that would alter them is a new recipe: it gets a new number and a test of its own, and
/// the binary goes on building this one.
#[test]
fn the_disk_of_recipe_1() -> Test {
    let sandbox = fixture(fixture::MACHINE)?;
    sandbox.nodeimage("lock node.yml")?.success()?;
    let lock: Value = serde_json::from_slice(&std::fs::read(sandbox.path("node.lock"))?)?;
    ensure!(lock["recipe"] == 1, "{}", lock["recipe"]);
    let digests: BTreeMap<&str, &str> = lock["images"]
        .as_object()
        .context("no images")?
        .iter()
        .filter_map(|(name, image)| Some((name.as_str(), image["digest"].as_str()?)))
        .collect();
    // First, so that a changed fixture is not taken for a changed disk.
    insta::assert_json_snapshot!("recipe_1_images", digests);
    let [id, disk_digest, sha256] = identity(&sandbox.build("out")?)?;
    assert_eq!(id, GOLDEN_ID);
    assert_eq!(disk_digest, GOLDEN_DISK_DIGEST);
    assert_eq!(sha256, GOLDEN_SHA256);
    Ok(())
}

const GOLDEN_ID: &str = "sha256:a2a2419aa1e4ec9948c48d843e64056051e1620c860bb4a3917cdc67d4242332";
const GOLDEN_DISK_DIGEST: &str =
    "sha256:96086b179107bd4618191dac7e2ba6916c8e5ebe778d51637de45b5c4c9cdba8";
const GOLDEN_SHA256: &str = "96df945f56555cceec0ee5135effa7242b9c6a78930033079e0510aa88f94196";
