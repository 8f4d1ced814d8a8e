//! Images, specs, locks and disks made to do harm. What is refused is refused with its place, in
//! little memory, and nothing is written outside the store.

use std::io::{Read, Write};
use std::path::Path;

use acceptance_tests::cli::{Done, Sandbox};
use acceptance_tests::fixture::{Codec, Image, Layer, Layout, MACHINE};
use acceptance_tests::tool;
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use tar::EntryType;

type Test = Result<()>;

/// The most memory nodeimage may hold, whatever it reads.
const MEMORY: u64 = 256 << 20;
/// The service whose image is at fault.
const REFERENCE: &str = "fixture.example/web:1";

/// The machine of stand-ins; its web server's image has these layers instead.
struct Hostile {
    sandbox: Sandbox,
    layers: Vec<Vec<u8>>,
    codec: Codec,
}

impl Hostile {
    fn new(codec: Codec) -> Result<Self> {
        Ok(Self {
            sandbox: Sandbox::with_fixture(Codec::Gzip)?,
            layers: Vec::new(),
            codec,
        })
    }

    fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer.finish());
        self
    }

    fn run(&self) -> Result<Done> {
        let mut layout = Layout::create(self.sandbox.path("hostile"))?;
        let layers: Result<Vec<_>> = self
            .layers
            .iter()
            .map(|tar| layout.layer(tar, self.codec))
            .collect();
        let image = Image {
            layers: layers?,
            ..Image::default()
        };
        layout.add(REFERENCE, &image)?;
        build(&self.sandbox)
    }
}

/// Builds with the layout `hostile` in front of the others.
fn build(sandbox: &Sandbox) -> Result<Done> {
    build_as(sandbox, "--format raw,tar")
}

fn build_as(sandbox: &Sandbox, options: &str) -> Result<Done> {
    let config = format!(
        "[sources]\nbuiltin = \"oci:images\"\n\"fixture.example\" = \"oci:images\"\n\
         \"{}\" = \"oci:hostile\"\n",
        REFERENCE.trim_end_matches(":1")
    );
    sandbox.write("hostile.toml", config)?;
    let before = outside(sandbox)?;
    let done = sandbox
        .nodeimage("build node.yml --dir out --config hostile.toml")?
        .args(options)
        .run()?;
    let code = done.status.code();
    ensure!(
        code == Some(0) || code == Some(1),
        "{:?}: {}",
        done.status,
        done.text()
    );
    ensure!(done.peak < MEMORY, "{} MiB of memory", done.peak >> 20);
    ensure!(
        outside(sandbox)? == before,
        "something was written outside the store"
    );
    sandbox.check_store()?;
    Ok(done)
}

/// The files of the sandbox but for store and output.
fn outside(sandbox: &Sandbox) -> Result<Vec<String>> {
    fn walk(dir: &Path, found: &mut Vec<String>) -> Result<()> {
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if path.ends_with(".cache") || path.ends_with("out") {
                continue;
            }
            if path.is_dir() {
                walk(&path, found)?;
            }
            found.push(path.display().to_string());
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(sandbox.dir(), &mut found)?;
    found.sort();
    Ok(found)
}

fn refused(done: &Done, parts: &[&str]) -> Test {
    ensure!(
        done.status.code() == Some(1),
        "it was not refused: {}",
        done.text()
    );
    done.says(&[REFERENCE, "layer"])?;
    done.says(parts)
}

#[test]
fn paths_that_climb_out_are_refused() -> Test {
    for (name, kind) in [
        ("../escape", EntryType::Regular),
        ("a/../../escape", EntryType::Regular),
        ("..", EntryType::Directory),
        ("a/..", EntryType::Symlink),
    ] {
        let mut layer = Layer::new();
        layer.dir("a/")?.entry(kind, name, "x", 0o644, 0, &[])?;
        let done = Hostile::new(Codec::Gzip)?.layer(layer).run()?;
        refused(&done, &[".."]).with_context(|| name.to_owned())?;
    }
    Ok(())
}

#[test]
fn links_never_lead_out_of_the_image() -> Test {
    // Through an absolute link, a climbing one, and one that a later layer puts in a directory's
    // place: the file must end up inside the image, or the layer be refused.
    let target = Sandbox::new()?;
    let goal = target.dir().display().to_string();
    let swap = |link: &str| -> Result<Hostile> {
        let mut first = Layer::new();
        first.dir("d/")?.file("d/kept", 0o644, b"kept")?;
        let mut second = Layer::new();
        second
            .symlink("d", link)?
            .file("d/escape", 0o644, b"escape")?
            .hardlink("again", "d/escape")?;
        Ok(Hostile::new(Codec::Gzip)?.layer(first).layer(second))
    };
    for link in [goal.as_str(), "../../../../../../../../tmp", "/", "d"] {
        let hostile = swap(link)?;
        let done = hostile.run()?;
        if done.status.code() == Some(1) {
            refused(&done, &[]).with_context(|| link.to_owned())?;
            continue;
        }
        // GNU tar warns of nothing that leads out.
        let list = ["-tf", "out/node.tar", "--warning=no-unknown-keyword"];
        let names = tool::run(hostile.sandbox.dir(), "tar", &list)?;
        let names = String::from_utf8_lossy(&names);
        let inside = |name: &str| !name.starts_with('/') && !name.split('/').any(|it| it == "..");
        ensure!(names.lines().all(inside), "{link}: {names}");
        ensure!(
            names.contains("containers/services/web/"),
            "{link}: {names}"
        );
    }
    ensure!(!Path::new("/escape").exists() && !Path::new("/tmp/escape").exists());
    ensure!(!target.path("escape").exists());

    let mut layer = Layer::new();
    layer.hardlink("shadow", "../../../../etc/shadow")?;
    let done = Hostile::new(Codec::Gzip)?.layer(layer).run()?;
    refused(&done, &[])
}

#[test]
fn devices_stay_entries_and_a_flood_of_them_is_bounded() -> Test {
    let mut layer = Layer::new();
    for number in 0..50_000 {
        layer.device(&format!("dev/d{number}"), 8, number)?;
    }
    let hostile = Hostile::new(Codec::Zstd)?.layer(layer);
    let done = hostile.run()?;
    // 50,000 nodes are within the limits, and none of them was made here.
    ensure!(done.status.success(), "{}", done.text());
    ensure!(!hostile.sandbox.path("out/dev").exists());
    Ok(())
}

/// A layer in the layout whose content only exists compressed.
fn bomb(sandbox: &Sandbox, codec: Codec, blob: &[u8]) -> Test {
    let mut layout = Layout::create(sandbox.path("hostile"))?;
    let promised = format!("sha256:{}", hex::encode(Sha256::digest(b"whatever")));
    let layer = layout.stored_layer(blob, codec, &promised)?;
    let image = Image {
        layers: vec![layer],
        ..Image::default()
    };
    layout.add(REFERENCE, &image).map(drop)
}

/// A file of `len` zeros.
fn zeros(out: &mut impl Write, len: u64) -> Test {
    let mut head = Layer::new();
    head.entry(EntryType::Regular, "zeros", "", 0o644, len, &[])?;
    out.write_all(&head.entries())?;
    let block = vec![0; 1 << 20];
    for _ in 0..len >> 20 {
        out.write_all(&block)?;
    }
    out.write_all(&[0; 1024])?;
    Ok(())
}

#[test]
fn compression_bombs_meet_a_limit() -> Test {
    const LEN: u64 = 2 << 30;
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    let level = flate2::Compression::new(6);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
    zeros(&mut gzip, LEN)?;
    bomb(&sandbox, Codec::Gzip, &gzip.finish()?)?;
    refused(&build(&sandbox)?, &["layer_ratio", "nodeimage.toml"]).context("gzip")?;

    let mut zstd = zstd::Encoder::new(Vec::new(), 1)?;
    zeros(&mut zstd, LEN)?;
    bomb(&sandbox, Codec::Zstd, &zstd.finish()?)?;
    refused(&build(&sandbox)?, &["layer_ratio", "nodeimage.toml"]).context("zstd")
}

/// A window of 2 GiB: the decoder would have to hold it.
#[test]
fn a_zstd_frame_that_wants_much_memory_is_refused() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    // Magic, no single segment, window descriptor of exponent 21 (2^31), one raw block.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3];
    frame.extend([0x01 | (4 << 3), 0, 0, b'a', b'b', b'c', b'd']);
    bomb(&sandbox, Codec::Zstd, &frame)?;
    refused(&build(&sandbox)?, &["zstd"])
}

/// `count` empty files, their names all different.
fn entries(range: std::ops::Range<u32>) -> Result<Vec<u8>> {
    let mut layer = Layer::new();
    for number in range {
        let name = format!("d/{number:08}");
        layer.file(&name, 0o644, &[])?;
    }
    Ok(layer.entries())
}

/// An image just below the limit of entries, under each of these references.
fn large(sandbox: &Sandbox, references: &[&str]) -> Test {
    let mut layout = Layout::create(sandbox.path("hostile"))?;
    let mut hash = Sha256::new();
    let mut zstd = zstd::Encoder::new(Vec::new(), 1)?;
    for start in (0..490_000).step_by(10_000) {
        let tar = entries(start..start + 10_000)?;
        hash.update(&tar);
        zstd.write_all(&tar)?;
    }
    let end = [0; 1024];
    hash.update(end);
    zstd.write_all(&end)?;
    let diff_id = format!("sha256:{}", hex::encode(hash.finalize()));
    let layer = layout.stored_layer(&zstd.finish()?, Codec::Zstd, &diff_id)?;
    let image = Image {
        layers: vec![layer],
        ..Image::default()
    };
    for reference in references {
        layout.add(reference, &image)?;
    }
    Ok(())
}

#[test]
fn half_a_million_entries_build_in_little_memory() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    large(&sandbox, &[REFERENCE])?;
    let done = build_as(&sandbox, "--format raw --min-memory 8192")?;
    ensure!(done.status.success(), "{}", done.text());
    Ok(())
}

/// Many threads must not mean many large trees at once.
#[test]
fn several_large_images_build_in_little_memory() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    let names = ["web", "web/two", "web/three"].map(|name| format!("fixture.example/{name}:1"));
    large(&sandbox, &names.each_ref().map(String::as_str))?;
    let services: String = names
        .iter()
        .enumerate()
        .map(|(number, name)| format!("  - {{name: s{number}, image: {name}}}\n"))
        .collect();
    let (before, _) = MACHINE.split_once("services:").context("no services")?;
    sandbox.write("node.yml", format!("{before}services:\n{services}"))?;
    let done = build_as(&sandbox, "--format raw,tar --threads 3 --min-memory 8192")?;
    ensure!(done.status.success(), "{}", done.text());
    Ok(())
}

#[test]
fn ten_million_entries_meet_a_limit() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    // Compressed piece by piece: frames may follow one another, and no piece is held twice.
    let piece = Codec::Zstd.compress(&entries(0..100_000)?)?;
    bomb(&sandbox, Codec::Zstd, &piece.repeat(100))?;
    refused(&build(&sandbox)?, &["entries", "500000", "nodeimage.toml"])?;

    // A million names, all different, in one frame.
    let mut zstd = zstd::Encoder::new(Vec::new(), 1)?;
    for start in (0..1_000_000).step_by(10_000) {
        zstd.write_all(&entries(start..start + 10_000)?)?;
    }
    bomb(&sandbox, Codec::Zstd, &zstd.finish()?)?;
    refused(&build(&sandbox)?, &["entries", "500000", "nodeimage.toml"])
}

#[test]
fn broken_archives_are_told_with_their_layer() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    let mut good = Layer::new();
    good.file("a", 0o644, &[7; 5000])?;
    let tar = good.finish();
    let gzip = Codec::Gzip.compress(&tar)?;
    let mut header = tar.clone();
    header[100] ^= 1;
    let mut long = Layer::new();
    long.entry(EntryType::Regular, "long", "", 0o644, 1 << 32, b"short")?;
    for (what, codec, blob) in [
        ("cut off", Codec::Gzip, &gzip[..gzip.len() / 2]),
        ("no gzip", Codec::Gzip, b"this is no gzip at all".as_slice()),
        ("no zstd", Codec::Zstd, b"this is no zstd at all"),
        ("no tar", Codec::None, &[0x55; 2048]),
        ("checksum", Codec::None, &header),
        ("a lie about its size", Codec::None, &long.finish()),
        ("nothing", Codec::Gzip, b""),
        ("another content", Codec::Gzip, &gzip),
    ] {
        bomb(&sandbox, codec, blob)?;
        refused(&build(&sandbox)?, &[]).with_context(|| what.to_owned())?;
    }
    Ok(())
}

#[test]
fn specs_made_to_explode_do_not() -> Test {
    let sandbox = Sandbox::new()?;
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        laughs += &format!("a{level}: &a{level} [{below}]\n");
    }
    for (what, yaml) in [
        ("aliases", laughs),
        ("depth", "[".repeat(100_000)),
        ("depth of maps", "{a: ".repeat(100_000)),
        ("long", "x".repeat(17 << 20)),
        ("many documents", "---\n".repeat(100_000)),
        ("controls", "kernel:\n  image: \"\\0\\x01\"\n".to_owned()),
        ("itself", "kernel: &k\n  image: *k\n".to_owned()),
        ("bytes", "\u{feff}\u{2028}: \u{85}".to_owned()),
        (
            "names",
            "services:\n  - {name: ../../x, image: y}\n".to_owned(),
        ),
        (
            "files",
            "files:\n  - {path: ../../x, contents: y}\n".to_owned(),
        ),
    ] {
        sandbox.write("bomb.yml", yaml)?;
        for command in ["build bomb.yml", "lint --deny bomb.yml"] {
            let call = sandbox.nodeimage(command)?.after("ulimit -t 20");
            let done = call.failure().with_context(|| what.to_owned())?;
            ensure!(done.peak < MEMORY, "{what}: {} MiB", done.peak >> 20);
            ensure!(
                done.stderr.len() < 1 << 20,
                "{what}: {} bytes",
                done.stderr.len()
            );
        }
    }
    sandbox.write("bytes.yml", [0xff, 0xfe, 0x00])?;
    sandbox
        .nodeimage("build bytes.yml")?
        .failure()?
        .says(&["bytes.yml"])
}

#[test]
fn locks_made_to_mislead_are_refused() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    sandbox.nodeimage("lock node.yml")?.success()?;
    let good = std::fs::read_to_string(sandbox.path("node.lock"))?;
    let digest = good
        .split('"')
        .find(|text| text.starts_with("sha256:"))
        .context("no digest")?;
    let other = format!("sha256:{}", "0".repeat(64));
    for (what, lock) in [
        ("no JSON", "{".to_owned()),
        ("depth", "[".repeat(1_000_000)),
        (
            "another version",
            good.replace("\"version\": 1", "\"version\": 99"),
        ),
        (
            "a recipe to come",
            good.replace("\"recipe\": 1", "\"recipe\": 99"),
        ),
        ("a short digest", good.replace(digest, "sha256:00")),
        ("another algorithm", good.replace(digest, "md5:00")),
        ("a digest nobody has", good.replace(digest, &other)),
        ("a list", "[]".to_owned()),
        ("empty", String::new()),
    ] {
        ensure!(lock != good, "{what} changed nothing");
        sandbox.write("node.lock", lock)?;
        let done = sandbox.nodeimage("build node.yml")?.failure();
        let done = done.with_context(|| what.to_owned())?;
        ensure!(done.peak < MEMORY, "{what}: {} MiB", done.peak >> 20);
        ensure!(!sandbox.path("node.img").exists(), "{what}");
    }
    sandbox.check_store()
}

#[test]
fn disks_made_to_mislead_are_refused() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    sandbox.build("out")?;
    // The parts with structure: tables, map, ESP. More would count as memory of the children.
    let mut disk = Vec::new();
    std::fs::File::open(sandbox.path("out/node.img"))?
        .take(24 << 20)
        .read_to_end(&mut disk)?;
    let inspect = |what: &str, bytes: &[u8]| -> Result<Done> {
        let path = sandbox.write("hostile.img", bytes)?;
        let call = sandbox.nodeimage("inspect --verify")?.arg(&path);
        let done = call.after("ulimit -t 20").run()?;
        let code = done.status.code();
        ensure!(
            code == Some(0) || code == Some(1),
            "{what}: {}",
            done.text()
        );
        ensure!(done.peak < MEMORY, "{what}: {} MiB", done.peak >> 20);
        Ok(done)
    };
    for len in [
        0,
        1,
        511,
        512,
        1 << 20,
        (4 << 20) - 1,
        4 << 20,
        8 << 20,
        9 << 20,
        20 << 20,
    ] {
        let done = inspect("cut off", &disk[..len])?;
        ensure!(
            done.status.code() == Some(1),
            "{len} bytes passed as a disk"
        );
    }
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let noise: Vec<u8> = std::iter::repeat_with(|| next().to_le_bytes())
        .take(1 << 20)
        .flatten()
        .collect();
    ensure!(inspect("noise", &noise)?.status.code() == Some(1));

    // Partition entries that begin and end anywhere; then single bytes of the structures.
    for (first, last) in [
        (u64::MAX, u64::MAX),
        (0, 0),
        (16_384, u64::MAX - 1),
        (16_384, 1),
    ] {
        let mut bytes = disk.clone();
        let entry = 1024 + 128;
        bytes[entry + 32..entry + 40].copy_from_slice(&first.to_le_bytes());
        bytes[entry + 40..entry + 48].copy_from_slice(&last.to_le_bytes());
        let done = inspect("partition", &bytes)?;
        ensure!(done.status.code() == Some(1), "{first}..{last} passed");
    }
    let mut bytes = disk.clone();
    let pe = find(&disk, b"MZ").context("no UKI")?;
    for _ in 0..40 {
        for (start, len) in [(512, 92), (512 << 10, 256), (pe, 1024)] {
            let at = start + next() as usize % len;
            bytes[at] = next().to_le_bytes()[3];
        }
        inspect("changed bytes", &bytes)?;
    }
    Ok(())
}

/// The first sector from 8 MiB on that begins so.
fn find(disk: &[u8], start: &[u8]) -> Option<usize> {
    (8 << 20..disk.len())
        .step_by(512)
        .find(|&at| disk[at..].starts_with(start))
}
