//! What LinuxKit makes of a spec, we make: every spec of `fixtures/linuxkit`, path by path, as
//! `tar` and as `kernel+initrd`. What differs stands in one table, and all of it must occur.

mod linuxkit {
    pub(crate) mod deviations;
}

use std::collections::BTreeSet;
use std::path::Path;

use acceptance_tests::cli::{Done, Sandbox, names};
use acceptance_tests::linuxkit::{Listing, differences, fixtures, images, initrd, tar};
use anyhow::{Context, Result, ensure};
use linuxkit::deviations::{DEVIATIONS, HARD_LINKS, REFUSALS};
use sha2::{Digest, Sha256};

type Test = Result<()>;

/// Built for another architecture than the default.
const ARM64: [&str; 2] = ["platform", "bad-platform"];

const SOURCES: &str = "[sources]\n\"fixture.example\" = \"oci:../images\"\n\
                       \"docker.io\" = \"oci:../images\"\n\"builtin\" = \"oci:../images\"\n";

/// The fixtures and their images, as `take.sh` lays them out.
fn sandbox() -> Result<Sandbox> {
    let sandbox = Sandbox::new()?;
    images::write(&sandbox.path("images"))?;
    for dir in ["", "sources", "home"] {
        for name in names(&fixtures().join(dir))? {
            let from = fixtures().join(dir).join(&name);
            if from.is_file() && !name.ends_with(".txt") {
                let to = format!("specs/{dir}/{name}");
                sandbox.write(&to, std::fs::read(&from)?)?;
            }
        }
    }
    sandbox.write("specs/nodeimage.toml", SOURCES)?;
    Ok(sandbox)
}

fn build(sandbox: &Sandbox, name: &str) -> Result<Done> {
    let second = format!("{name}.2.yml");
    let second = if fixtures().join(&second).is_file() {
        second
    } else {
        String::new()
    };
    let arch = if ARM64.contains(&name) {
        "arm64"
    } else {
        "amd64"
    };
    let arguments =
        format!("build --arch {arch} --name {name} --dir ../out --format tar,kernel+initrd");
    sandbox
        .nodeimage(&format!("{arguments} {name}.yml {second}"))?
        .dir(sandbox.path("specs"))
        .env("HOME", sandbox.path("specs/home"))
        .env("XDG_CACHE_HOME", sandbox.path("cache"))
        .run()
}

/// The specs that LinuxKit builds, or those that it refuses, with what it has to say.
fn fixture_names(refused: bool) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for name in names(&fixtures())? {
        let Some(name) = name.strip_suffix(".linuxkit.txt") else {
            continue;
        };
        if name.ends_with(".initrd") {
            continue;
        }
        let text = std::fs::read_to_string(fixtures().join(format!("{name}.linuxkit.txt")))?;
        if text.starts_with("refused: ") == refused {
            found.push((name.to_owned(), text));
        }
    }
    Ok(found)
}

type Found = BTreeSet<(String, String, String)>;

/// The listing of an initrd and the digests of the files beside it.
fn split(text: &str) -> (String, Vec<(String, String)>) {
    let mut listing = String::new();
    let mut files = Vec::new();
    for line in text.lines() {
        match line.split_once(' ') {
            Some((name @ ("kernel" | "cmdline"), digest)) if !digest.contains(' ') => {
                files.push((name.to_owned(), digest.to_owned()));
            }
            _ => listing.push_str(&format!("{line}\n")),
        }
    }
    (listing, files)
}

fn digests(out: &Path, name: &str) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for part in ["kernel", "cmdline"] {
        let path = out.join(format!("{name}-{part}"));
        if path.is_file() {
            let digest = hex::encode(Sha256::digest(std::fs::read(path)?));
            files.push((part.to_owned(), digest));
        }
    }
    Ok(files)
}

#[test]
fn the_same_trees() -> Test {
    let sandbox = sandbox()?;
    let mut found = Found::new();
    let mut links = 0;
    for (name, text) in fixture_names(false)? {
        let done = build(&sandbox, &name)?;
        if !done.status.success() {
            found.insert((
                name,
                String::new(),
                format!("refused: {}", done.stderr.trim()),
            ));
            continue;
        }
        let theirs = Listing::parse(&text).with_context(|| name.clone())?;
        let out = sandbox.path("out");
        let ours = tar::listing(std::fs::File::open(out.join(format!("{name}.tar")))?)?;
        let in_tar = differences(&theirs, &ours);
        for (path, what) in &in_tar {
            found.insert((name.clone(), path.clone(), what.clone()));
        }

        let text = std::fs::read_to_string(fixtures().join(format!("{name}.initrd.linuxkit.txt")))?;
        let (listing, files) = split(&text);
        let theirs_initrd = Listing::parse(&listing)?.with_texts_of(&theirs);
        let (theirs_initrd, names) = theirs_initrd.with_links_of(&theirs);
        links += names;
        let bytes = std::fs::read(out.join(format!("{name}-initrd.img")))?;
        let ours_initrd = initrd::listing(&bytes)?.with_texts_of(&ours);
        for (path, what) in differences(&theirs_initrd, &ours_initrd) {
            if !in_tar.contains(&(path.clone(), what.clone())) {
                found.insert((format!("{name} initrd"), path, what));
            }
        }
        for (file, digest) in files {
            if !digests(&out, &name)?.contains(&(file.clone(), digest.clone())) {
                found.insert((format!("{name} initrd"), file, "digest".to_owned()));
            }
        }
    }
    let known: Found = DEVIATIONS
        .iter()
        .map(|(fixture, path, what, _)| {
            (
                (*fixture).to_owned(),
                (*path).to_owned(),
                (*what).to_owned(),
            )
        })
        .collect();
    let show = |found: &mut dyn Iterator<Item = &(String, String, String)>| -> String {
        found.map(|it| format!("{it:?}\n")).collect()
    };
    let (new, gone) = (
        show(&mut found.difference(&known)),
        show(&mut known.difference(&found)),
    );
    ensure!(
        new.is_empty() && gone.is_empty(),
        "not in the table:\n{new}\nin the table, but it does not occur:\n{gone}"
    );
    ensure!(links == HARD_LINKS, "{links} hard links");
    Ok(())
}

#[test]
fn the_same_refusals() -> Test {
    let sandbox = sandbox()?;
    let refused = fixture_names(true)?;
    ensure!(
        refused.len() == REFUSALS.len(),
        "{} refusals",
        refused.len()
    );
    for (name, _) in refused {
        let (_, says) = REFUSALS
            .iter()
            .find(|(fixture, _)| *fixture == name)
            .with_context(|| format!("{name} is not in the table"))?;
        let done = build(&sandbox, &name)?;
        match says {
            Some(says) => {
                ensure!(!done.status.success(), "{name} was built");
                ensure!(done.stderr.contains(says), "{name}: {}", done.stderr);
            }
            None => ensure!(done.status.success(), "{name}: {}", done.stderr),
        }
    }
    Ok(())
}
