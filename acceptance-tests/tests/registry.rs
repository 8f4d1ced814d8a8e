//! Images from a real registry: mirrors, passwords, certificates, and everything that breaks.

use std::time::{Duration, Instant};

use acceptance_tests::cli::{Done, Sandbox};
use acceptance_tests::fixture::{Codec, Layout};
use acceptance_tests::proxy::Proxy;
use acceptance_tests::registry::{Access, Certificates, PASSWORD, Registry, USER};
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

type Test = Result<()>;

const IMAGES: &str = "fixture.example";

/// The machine of stand-ins, its images in a registry; boot and init parts stay local.
struct Pulled {
    sandbox: Sandbox,
    registry: Registry,
    /// What the same machine is when built from the local layout.
    disk_digest: Value,
}

impl Pulled {
    fn new(access: Access<'_>) -> Result<Self> {
        let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
        let disk_digest = sandbox.build("local")?["disk_digest"].clone();
        std::fs::remove_dir_all(sandbox.store())?;
        // Registries are pushed to while they are open.
        let open = Registry::start(&sandbox.path("registry"), Access::default())?;
        open.push(&sandbox.path("images"))?;
        open.kill()?;
        let registry = Registry::start(&sandbox.path("registry"), access)?;
        // Only what a machine needs before any registry stays at hand.
        let mut parts = Layout::create(sandbox.path("parts"))?;
        acceptance_tests::fixture::machine(&mut parts, Codec::Gzip)?;
        std::fs::remove_dir_all(sandbox.path("images"))?;
        keep_builtin(&sandbox)?;
        let pulled = Self {
            sandbox,
            registry,
            disk_digest,
        };
        pulled.mirror(&pulled.registry.host(), "plain_http = true")?;
        Ok(pulled)
    }

    /// Reads the images from `host`, with these settings.
    fn mirror(&self, host: &str, settings: &str) -> Result<()> {
        let text = format!(
            "[sources]\nbuiltin = \"oci:parts\"\n\"{IMAGES}\" = \"{host}\"\n\n\
             [registries.\"{host}\"]\n{settings}\n"
        );
        self.sandbox.write("nodeimage.toml", text).map(drop)
    }

    /// Builds; it must come to the same disk as the local layout, in a sound store.
    fn build(&self) -> Test {
        let built = self.sandbox.build("out")?;
        ensure!(built["disk_digest"] == self.disk_digest, "another disk");
        self.sandbox.check_store()
    }

    /// The first layer's digest of a pushed image.
    fn layer(&self, image: &str) -> Result<String> {
        let pushed = self.sandbox.path(&format!("{image}.manifest"));
        let manifest: Value = serde_json::from_slice(&std::fs::read(pushed)?)?;
        let digest = manifest["layers"][0]["digest"].as_str();
        Ok(digest.context("no layer")?.to_owned())
    }
}

/// Leaves the boot and init images in `parts`, and the manifests of the others as files.
fn keep_builtin(sandbox: &Sandbox) -> Test {
    const NAME: &str = "org.opencontainers.image.ref.name";
    let parts = sandbox.path("parts");
    let index_path = parts.join("index.json");
    let mut index: Value = serde_json::from_slice(&std::fs::read(&index_path)?)?;
    let blob = |digest: &Value| -> Result<std::path::PathBuf> {
        let digest = digest.as_str().context("no digest")?;
        let hex = digest.strip_prefix("sha256:").context("no sha256")?;
        Ok(parts.join("blobs/sha256").join(hex))
    };
    let manifests = index["manifests"].as_array_mut().context("no manifests")?;
    let all = std::mem::take(manifests);
    let is_builtin = |manifest: &Value| {
        let name = manifest["annotations"][NAME].as_str().unwrap_or_default();
        name.starts_with("builtin:")
    };
    let (builtin, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_builtin);
    for manifest in &others {
        let name = manifest["annotations"][NAME].as_str().context("no name")?;
        let short = name
            .trim_start_matches("fixture.example/")
            .trim_end_matches(":1");
        let path = blob(&manifest["digest"])?;
        let text = std::fs::read(&path)?;
        let document: Value = serde_json::from_slice(&text)?;
        sandbox.write(&format!("{short}.manifest"), &text)?;
        for layer in document["layers"].as_array().context("no layers")? {
            std::fs::remove_file(blob(&layer["digest"])?)?;
        }
        std::fs::remove_file(blob(&document["config"]["digest"])?).ok();
        std::fs::remove_file(path)?;
    }
    *manifests = builtin;
    std::fs::write(&index_path, index.to_string())?;
    Ok(())
}

/// No output of a run may hold the password, plain or as it travels.
fn keeps_the_secret(done: &Done) -> Test {
    let encoded = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    for secret in [PASSWORD, &encoded] {
        ensure!(!done.text().contains(secret), "a secret: {}", done.text());
    }
    Ok(())
}

#[test]
fn a_mirror_is_pulled_from_and_tags_are_asked_for_by_head() -> Test {
    let pulled = Pulled::new(Access::default())?;
    let proxy = Proxy::start(pulled.registry.port())?;
    pulled.mirror(&proxy.host(), "plain_http = true")?;
    pulled.sandbox.nodeimage("lock node.yml")?.success()?;
    let requests = proxy.requests();
    for image in ["kernel", "tools", "once", "web"] {
        let head = format!("HEAD /v2/{image}/manifests/1");
        ensure!(requests.contains(&head), "no {head} in {requests:?}");
        let get = format!("GET /v2/{image}/manifests/1");
        ensure!(
            !requests.contains(&get),
            "{get}: a tag is counted as a pull"
        );
    }
    pulled.build()
}

#[test]
fn with_a_lock_and_a_full_store_no_request_is_made() -> Test {
    let pulled = Pulled::new(Access::default())?;
    let proxy = Proxy::start(pulled.registry.port())?;
    pulled.mirror(&proxy.host(), "plain_http = true")?;
    pulled.sandbox.nodeimage("lock node.yml")?.success()?;
    proxy.forget();
    pulled.build()?;
    let cold = proxy.requests();
    let tags = cold.iter().filter(|line| line.ends_with("/manifests/1"));
    ensure!(tags.count() == 0, "a locked tag was asked for: {cold:?}");
    proxy.forget();
    pulled.build()?;
    pulled
        .sandbox
        .nodeimage("lock --check node.yml")?
        .success()?;
    ensure!(proxy.requests().is_empty(), "{:?}", proxy.requests());
    Ok(())
}

#[test]
fn a_password_comes_from_where_users_keep_it_and_is_never_seen() -> Test {
    let pulled = Pulled::new(Access {
        password: true,
        tls: None,
    })?;
    let host = pulled.registry.host();
    let sandbox = &pulled.sandbox;

    // None at all.
    let refused = sandbox.nodeimage("build node.yml")?.failure()?;
    refused.says(&["fixture.example/kernel:1", &host, "docker login"])?;

    // A wrong one.
    let login = format!("plain_http = true\nusername = \"{USER}\"\npassword_env = \"SECRET\"");
    pulled.mirror(&host, &login)?;
    let wrong = sandbox.nodeimage("build --json node.yml")?;
    let wrong = wrong.env("SECRET", "wrong-horse-8").failure()?;
    let told = wrong.event("error")?["message"].to_string();
    ensure!(
        told.contains(&host) && told.contains("fixture.example/"),
        "{told}"
    );
    ensure!(!wrong.text().contains("wrong-horse-8"), "{}", wrong.text());

    // Of the environment.
    let lock = sandbox.nodeimage("lock node.yml")?;
    keeps_the_secret(&lock.env("SECRET", PASSWORD).success()?)?;
    let lock = std::fs::read_to_string(sandbox.path("node.lock"))?;
    ensure!(!lock.contains(PASSWORD) && !lock.contains(&host), "{lock}");
    let build = sandbox.nodeimage("build --json node.yml")?;
    let built = build
        .env("SECRET", PASSWORD)
        .env("RUST_LOG", "trace")
        .success()?;
    keeps_the_secret(&built)?;
    ensure!(built.event("built")?["disk_digest"] == pulled.disk_digest);

    // Of Docker's configuration.
    std::fs::remove_dir_all(sandbox.store())?;
    pulled.mirror(&host, "plain_http = true")?;
    let auth = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let config = serde_json::json!({ "auths": { &host: { "auth": auth } } });
    sandbox.write("home/.docker/config.json", config.to_string())?;
    keeps_the_secret(&sandbox.nodeimage("build node.yml")?.success()?)?;
    pulled.build()
}

#[test]
fn a_certificate_of_ones_own_authority_is_trusted_when_named() -> Test {
    let folder = Sandbox::new()?;
    let certificates = Certificates::create(&folder.path("tls"))?;
    let pulled = Pulled::new(Access {
        password: true,
        tls: Some(&certificates),
    })?;
    let host = pulled.registry.host();
    let password = pulled.sandbox.write("password", format!("{PASSWORD}\n"))?;
    let login = format!(
        "username = \"{USER}\"\npassword_file = \"{}\"",
        password.display()
    );

    pulled.mirror(&host, &login)?;
    let refused = pulled.sandbox.nodeimage("build node.yml")?.failure()?;
    refused.says(&["certificate", &host])?;
    keeps_the_secret(&refused)?;

    let trusting = format!("{login}\nca_file = \"{}\"", certificates.ca.display());
    pulled.mirror(&host, &trusting)?;
    pulled.build()
}

#[test]
fn a_missing_tag_is_told_with_its_place() -> Test {
    let pulled = Pulled::new(Access::default())?;
    let yaml = acceptance_tests::fixture::MACHINE.replace("web:1", "web:9");
    pulled.sandbox.write("node.yml", yaml)?;
    let failed = pulled.sandbox.nodeimage("lock node.yml")?.failure()?;
    failed.says(&["fixture.example/web:9", &pulled.registry.host()])?;
    ensure!(!pulled.sandbox.path("node.lock").exists());
    pulled.sandbox.check_store()
}

#[test]
fn a_blob_corrupted_in_the_registry_never_enters_the_store() -> Test {
    let pulled = Pulled::new(Access::default())?;
    let layer = pulled.layer("kernel")?;
    let path = pulled.registry.blob(&layer);
    let good = std::fs::read(&path)?;
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    std::fs::write(&path, &bad)?;
    let failed = pulled.sandbox.nodeimage("build node.yml")?.failure()?;
    failed.says(&["fixture.example/kernel:1", &layer])?;
    ensure!(!pulled.sandbox.path("node.img").exists());
    pulled.sandbox.check_store()?;
    std::fs::write(&path, &good)?;
    pulled.build()
}

#[test]
fn a_registry_that_dies_half_way_costs_a_run_and_nothing_else() -> Test {
    let pulled = Pulled::new(Access::default())?;
    let proxy = Proxy::start(pulled.registry.port())?;
    pulled.mirror(&proxy.host(), "plain_http = true")?;
    pulled.sandbox.nodeimage("lock node.yml")?.success()?;
    // In the middle of the kernel's layer.
    proxy.cut_after(900_000);
    let Pulled {
        sandbox,
        registry,
        disk_digest,
    } = pulled;
    let running = sandbox.nodeimage("build node.yml")?.start()?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let begun = proxy.passed();
    while proxy.passed() < begun + 100_000 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    let port = registry.port();
    registry.kill()?;
    let failed = running.wait()?;
    ensure!(failed.status.code() == Some(1), "{}", failed.text());
    failed.says(&["fixture.example/", &proxy.host()])?;
    ensure!(!sandbox.path("node.img").exists());
    sandbox.check_store()?;

    let registry = Registry::start_on(&sandbox.path("registry"), Access::default(), port)?;
    proxy.heal();
    let pulled = Pulled {
        sandbox,
        registry,
        disk_digest,
    };
    pulled.build()
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_was() -> Test {
    let pulled = Pulled::new(Access::default())?;
    let proxy = Proxy::start(pulled.registry.port())?;
    pulled.mirror(&proxy.host(), "plain_http = true")?;
    pulled.sandbox.nodeimage("lock node.yml")?.success()?;
    let begun = proxy.passed();
    proxy.cut_after(900_000);
    let running = pulled.sandbox.nodeimage("build node.yml")?.start()?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while proxy.passed() < begun + 900_000 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    proxy.heal();
    let done = running.wait()?;
    ensure!(done.status.success(), "{}", done.text());
    // Two megabytes of layers in all: what came once did not come again.
    let layers: u64 = ["kernel", "tools", "once", "web"]
        .iter()
        .map(|image| Ok(std::fs::metadata(pulled.registry.blob(&pulled.layer(image)?))?.len()))
        .sum::<Result<u64>>()?;
    let passed = proxy.passed() - begun;
    ensure!(passed < layers + 200_000, "{passed} bytes for {layers}");
    pulled.build()
}

#[test]
fn http_is_for_this_machine_only() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    sandbox.write(
        "nodeimage.toml",
        "[registries.\"registry.example\"]\nplain_http = true\n",
    )?;
    let refused = sandbox.nodeimage("build node.yml")?.failure()?;
    refused.says(&["nodeimage.toml", "plain_http"])
}
