//! `nodeimage diff` and what it compares: YAML, locked specs by id, disks.

use acceptance_tests::cli::Sandbox;
use acceptance_tests::fixture::{Codec, Image, Layer, Layout, machine};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

type Test = Result<()>;

/// The machine twice: `old/` and `new/` differ in one file, one setting and the web image.
fn two() -> Result<Sandbox> {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    let mut layout = Layout::create(sandbox.path("newer"))?;
    machine(&mut layout, Codec::Gzip)?;
    let web = |version: &str, packages: &str, setuid: bool| -> Result<Image> {
        let mut layer = Layer::new();
        layer
            .dir("bin/")?
            .file(
                "bin/web",
                if setuid { 0o4755 } else { 0o755 },
                version.as_bytes(),
            )?
            .dir("lib/")?
            .dir("lib/apk/")?
            .dir("lib/apk/db/")?
            .file("lib/apk/db/installed", 0o644, packages.as_bytes())?;
        if setuid {
            layer
                .dir("share/")?
                .file("share/a", 0o644, b"a")?
                .file("share/b", 0o644, b"b")?;
        } else {
            layer.file("bin/old-tool", 0o755, b"old")?;
        }
        Ok(Image {
            layers: vec![layout.layer(&layer.finish(), Codec::Gzip)?],
            command: vec!["/bin/web".to_owned()],
            ..Image::default()
        })
    };
    let old = web("one", "P:musl\nV:1.2.4-r1\n\nP:zlib\nV:1.3-r0\n\n", false)?;
    let new = web("twoo", "P:musl\nV:1.2.4-r2\n\nP:curl\nV:8.5-r0\n\n", true)?;
    layout.add("fixture.example/web:2", &old)?;
    layout.add("fixture.example/web:3", &new)?;
    sandbox.write(
        "nodeimage.toml",
        "[sources]\n\"builtin\" = \"oci:newer\"\n\"fixture.example\" = \"oci:newer\"\n",
    )?;
    let yaml = std::fs::read_to_string(sandbox.path("node.yml"))?;
    let yaml = yaml.replace("web:1", "web:2");
    sandbox.write("old.yml", &yaml)?;
    let yaml = yaml
        .replace("web:2", "web:3")
        .replace("quiet", "debug")
        .replace("port = 80", "port = 8080");
    sandbox.write("new.yml", yaml)?;
    sandbox.nodeimage("lock old.yml")?.success()?;
    sandbox.nodeimage("lock new.yml")?.success()?;
    Ok(sandbox)
}

fn diff(sandbox: &Sandbox, words: &str) -> Result<Value> {
    let done = sandbox.nodeimage(&format!("diff --json {words}"))?;
    done.success()?.event("diff")
}

#[test]
fn references_need_no_store_and_the_rest_is_said_to_be_missing() -> Test {
    let sandbox = two()?;
    let cache = sandbox.path("empty-cache");
    let words = format!("old.yml new.yml --offline --cache {}", cache.display());
    let found = diff(&sandbox, &words)?;
    let moved = &found["references"];
    ensure!(moved.as_array().context("a list")?.len() == 1, "{moved}");
    ensure!(moved[0]["from"]["reference"] == "fixture.example/web:2");
    ensure!(moved[0]["to"]["reference"] == "fixture.example/web:3");
    ensure!(moved[0]["from"]["digest"] != moved[0]["to"]["digest"]);
    ensure!(found["files"].is_null() && found["blocks"].is_null());
    let why = found["not_compared"].to_string();
    ensure!(why.contains("not in the store"), "{why}");
    let settings = found["settings"].to_string();
    ensure!(settings.contains("debug"), "{settings}");
    ensure!(
        !settings.contains("8080"),
        "contents are never told: {settings}"
    );
    Ok(())
}

#[test]
fn files_packages_sizes_and_blocks_of_what_was_built() -> Test {
    let sandbox = two()?;
    for name in ["old", "new"] {
        sandbox
            .nodeimage(&format!("build {name}.yml --dir out"))?
            .success()?;
    }
    let found = diff(&sandbox, "old.yml new.yml --offline")?;
    ensure!(found["not_compared"] == json!([]), "{found}");
    let files = found["files"]["list"].as_array().context("files")?;
    let file = |path: &str| {
        let file = files.iter().find(|file| file["path"] == path);
        file.with_context(|| format!("{path} in {found}"))
    };
    let root = "containers/services/web/lower";
    let web = file(&format!("{root}/bin/web"))?;
    ensure!(web["change"] == "changed" && web["what"] == json!(["content", "mode"]));
    ensure!(web["gains"] == json!(["setuid"]), "{web}");
    ensure!(web["from"]["mode"] == "0755" && web["to"]["mode"] == "4755");
    ensure!(web["component"] == "services web");
    ensure!(file(&format!("{root}/bin/old-tool"))?["change"] == "removed");
    ensure!(file(&format!("{root}/share/a"))?["change"] == "added");
    let conf = file("etc/web/web.conf")?;
    ensure!(conf["what"] == json!(["content"]) && conf["component"] == "files");
    ensure!(found["files"]["unchanged"].as_u64() > Some(10));

    let packages = found["packages"]["list"].to_string();
    let all: Vec<_> = found["packages"]["list"]
        .as_array()
        .context("packages")?
        .iter()
        .collect();
    ensure!(all.len() == 3, "{packages}");
    ensure!(all[0]["name"] == "curl" && all[0]["change"] == "added");
    ensure!(all[1]["from"] == "1.2.4-r1" && all[1]["to"] == "1.2.4-r2");
    ensure!(all[1]["places"] == json!(["containers/services/web"]));
    ensure!(all[2]["name"] == "zlib" && all[2]["change"] == "removed");

    let sizes = &found["sizes"];
    ensure!(
        sizes["from"]["packed"].is_u64() && sizes["to"]["packed"].is_u64(),
        "{sizes}"
    );
    let names: Vec<_> = sizes["components"]
        .as_array()
        .context("components")?
        .iter()
        .collect();
    ensure!(
        names.iter().any(|it| it["name"] == "services web"),
        "{sizes}"
    );

    // What the block maps on the disks themselves say.
    let blocks = &found["blocks"];
    let of_disks = diff(&sandbox, "out/old.img out/new.img")?;
    ensure!(of_disks["blocks"] == *blocks, "{blocks} {of_disks}");
    let counted = differing_blocks(&sandbox)?;
    ensure!(blocks["differ"] == counted, "{blocks}, counted {counted}");
    ensure!(of_disks["references"] == found["references"]);

    // By id, by the first digits of it, and each against the disk.
    let id = |side: &str| found[side]["id"].as_str().map(str::to_owned).context("id");
    let (old, new) = (id("from")?, id("to")?);
    let by_id = diff(
        &sandbox,
        &format!("{old} {}", &new["sha256:".len()..][..12]),
    )?;
    ensure!(by_id["files"] == found["files"] && by_id["blocks"] == *blocks);
    let same = diff(&sandbox, &format!("{new} out/new.img"))?;
    ensure!(
        same["blocks"]["differ"] == 0 && same["files"].is_null(),
        "{same}"
    );

    let text = sandbox.nodeimage("diff old.yml new.yml")?.success()?.stdout;
    for part in [
        "fixture.example/web:2 → :3",
        "kernel cmdline  -quiet +debug",
        "!~ containers/services/web/lower/bin/web",
        "gains setuid",
        "+ containers/services/web/lower/share/  (2 inside)",
        "~ musl 1.2.4-r1 → 1.2.4-r2  (apk: services/web)",
        "blocks of 512 KiB",
    ] {
        ensure!(text.contains(part), "{part} is not in:\n{text}");
    }
    ensure!(
        text == sandbox
            .nodeimage("diff old.yml new.yml --threads 1")?
            .success()?
            .stdout
    );
    Ok(())
}

/// Blocks of 512 KiB in which the two disks differ, read byte by byte.
fn differing_blocks(sandbox: &Sandbox) -> Result<u64> {
    use std::io::Read;
    let open = |name: &str| std::fs::File::open(sandbox.path(name));
    let (mut a, mut b) = (open("out/old.img")?, open("out/new.img")?);
    let (mut x, mut y) = (vec![0; 512 << 10], vec![0; 512 << 10]);
    let blocks = a.metadata()?.len() / (512 << 10);
    ensure!(a.metadata()?.len() == b.metadata()?.len());
    let mut differ = 0;
    for _ in 0..blocks {
        a.read_exact(&mut x)?;
        b.read_exact(&mut y)?;
        differ += u64::from(x != y);
    }
    Ok(differ)
}

#[test]
fn a_disk_that_nobody_knows_says_what_it_can() -> Test {
    let sandbox = two()?;
    for name in ["old", "new"] {
        sandbox
            .nodeimage(&format!("build {name}.yml --dir out"))?
            .success()?;
    }
    let cache = sandbox.path("empty-cache");
    let words = format!("out/old.img out/new.img --cache {}", cache.display());
    let found = diff(&sandbox, &words)?;
    ensure!(found["from"].is_null() && found["references"] == json!([]));
    ensure!(found["blocks"]["differ"].as_u64() > Some(0), "{found}");
    let why = found["not_compared"].to_string();
    ensure!(why.contains("does not know"), "{why}");
    // With --fetch a store is filled first.
    let words = format!("old.yml new.yml --fetch --cache {}", cache.display());
    let fetched = diff(&sandbox, &words)?;
    ensure!(fetched["blocks"] == found["blocks"], "{fetched}");
    Ok(())
}

#[test]
fn exit_codes_and_wrong_words() -> Test {
    let sandbox = two()?;
    let code = |words: &str| -> Result<Option<i32>> {
        let done = sandbox.nodeimage(&format!("diff {words}"))?.run()?;
        Ok(done.status.code())
    };
    ensure!(code("old.yml old.yml --exit-code")? == Some(0));
    ensure!(code("old.yml new.yml --exit-code")? == Some(1));
    ensure!(code("old.yml new.yml")? == Some(0));
    ensure!(code("old.yml absent.yml --exit-code")? == Some(2));
    ensure!(code("old.yml absent.yml")? == Some(1));
    let fails = |words: &str, said: &str| -> Result<()> {
        sandbox
            .nodeimage(&format!("diff {words}"))?
            .failure()?
            .says(&[said])
    };
    fails("old.yml sha256:12", "is no image id")?;
    fails("old.yml 0123456789ab", "knows no image")?;
    sandbox.write("disk.qcow2", b"QFI\xfb\0\0\0\x03")?;
    fails("old.yml disk.qcow2", "qemu-img convert")?;
    sandbox.write("noise", [0; 100])?;
    fails("old.yml noise", "neither YAML nor a disk")?;
    fails(
        "old.yml noise --to-lock old.lock",
        "neither YAML nor a disk",
    )
}

#[test]
fn a_lock_before_and_after() -> Test {
    let sandbox = two()?;
    std::fs::copy(sandbox.path("old.lock"), sandbox.path("before.lock"))?;
    let text = std::fs::read_to_string(sandbox.path("old.lock"))?;
    let lock: Value = serde_json::from_str(&text)?;
    let digest = lock["images"]["fixture.example/once:1"]["digest"].clone();
    let digest = digest.as_str().context("digest")?;
    let other = format!("sha256:{}", "0".repeat(64));
    sandbox.write("old.lock", text.replace(digest, &other))?;
    let found = diff(&sandbox, "old.yml old.yml --from-lock before.lock")?;
    let moved = &found["references"];
    ensure!(moved.as_array().context("a list")?.len() == 1, "{moved}");
    ensure!(moved[0]["from"]["digest"] == digest && moved[0]["to"]["digest"] == other.as_str());
    Ok(())
}

#[test]
fn a_lock_is_checked_offline_and_updated_by_reference() -> Test {
    let sandbox = two()?;
    let check = |words: &str| sandbox.nodeimage(&format!("lock --check --offline {words}"));
    check("old.yml")?.success()?;
    check("old.yml --arch amd64,arm64")?
        .failure()?
        .says(&["fixture.example/web:2 is not locked for arm64"])?;
    let yaml = std::fs::read_to_string(sandbox.path("old.yml"))?;
    sandbox.write("old.yml", yaml.replace("web:2", "web:3"))?;
    let stale = check("old.yml")?.failure()?;
    stale
        .says(&["fixture.example/web:2 is locked, and the YAML names fixture.example/web:3 now"])?;
    let event = check("old.yml --json")?.failure()?.event("lock-checked")?;
    ensure!(event["current"] == false && event["stale"][0]["wanted"] == "fixture.example/web:3");
    sandbox.write("old.yml", &yaml)?;

    let text = std::fs::read_to_string(sandbox.path("old.lock"))?;
    sandbox.write("old.lock", text.replace("  ", " "))?;
    check("old.yml")?
        .failure()?
        .says(&["not as `nodeimage lock` writes it"])?;
    sandbox.nodeimage("lock old.yml")?.success()?;
    ensure!(text == std::fs::read_to_string(sandbox.path("old.lock"))?);
    for (from, to, said) in [
        ("\"version\": 1", "\"version\": 2", "version 2 on line"),
        ("\"recipe\"", "\"recipes\"", "unknown field `recipes`"),
        (
            "  \"images\"",
            "<<<<<<< HEAD\n  \"images\"",
            "merge conflict on line",
        ),
    ] {
        sandbox.write("old.lock", text.replace(from, to))?;
        check("old.yml")?.failure()?.says(&["old.lock", said])?;
    }

    // Entries that lack a platform are completed at the digest they have, wherever the tag is now.
    move_tags(&sandbox)?;
    let mut lock: Value = serde_json::from_str(&text)?;
    lock["boot"]["parts"] = json!({});
    let platforms = &mut lock["images"]["fixture.example/once:1"]["platforms"];
    let digest = platforms["linux/amd64"].take();
    *platforms = json!({ "linux/arm64": digest });
    sandbox.write("old.lock", lock.to_string())?;
    sandbox.nodeimage("lock old.yml --arch amd64")?.success()?;
    ensure!(text == std::fs::read_to_string(sandbox.path("old.lock"))?);

    // Two tags have moved, one is asked for.
    let locked = sandbox.nodeimage("lock --json --update=fixture.example/once:1 old.yml")?;
    let changes = locked.success()?.event("locked")?["changes"].clone();
    ensure!(
        changes.as_array().context("changes")?.len() == 1,
        "{changes}"
    );
    ensure!(changes[0]["reference"] == "fixture.example/once:1");
    let locked = sandbox
        .nodeimage("lock --json --update old.yml")?
        .success()?;
    let changes = locked.event("locked")?["changes"].clone();
    ensure!(
        changes.as_array().context("changes")?.len() == 1,
        "{changes}"
    );
    ensure!(changes[0]["reference"] == "fixture.example/tools:1");
    Ok(())
}

/// Gives two tags other images.
fn move_tags(sandbox: &Sandbox) -> Test {
    let path = sandbox.path("newer/index.json");
    let mut index: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    let name = |entry: &Value| {
        let name = entry["annotations"]["org.opencontainers.image.ref.name"].clone();
        name.as_str().map(str::to_owned)
    };
    let all = index["manifests"].as_array_mut().context("manifests")?;
    let other = all
        .iter()
        .find(|it| name(it).as_deref() == Some("fixture.example/web:3"))
        .context("web")?
        .clone();
    for entry in all.iter_mut() {
        let tag = name(entry);
        let moves = ["fixture.example/once:1", "fixture.example/tools:1"];
        if tag.as_deref().is_some_and(|tag| moves.contains(&tag)) {
            let annotations = entry["annotations"].clone();
            *entry = other.clone();
            entry["annotations"] = annotations;
        }
    }
    Ok(std::fs::write(path, index.to_string())?)
}
