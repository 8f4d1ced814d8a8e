use nodeimage_spec::lock::{LockedBoot, LockedImage};
use nodeimage_spec::{Architecture, DiskOptions, Document, Lock, LockedSpec, Outcome};
use nodeimage_spec::{Digest, lock_spec, parse, references};

use super::super::Side;
use super::*;

const OLD: &str = r#"
kernel:
  image: acme.example/kernel:6.1
  cmdline: console=ttyS0 quiet
init:
  - acme.example/init:1
  - acme.example/runc:1
onboot:
  - name: dhcp
    image: acme.example/dhcp:1
services:
  - name: web
    image: acme.example/web:1
    env: ["TOKEN=old-secret", "A=1"]
    capabilities: [CAP_CHOWN]
  - name: ntp
    image: acme.example/ntp:1
files:
  - path: etc/motd
    contents: old-secret
  - path: etc/gone
    directory: true
"#;

fn locked(yaml: &str, salt: &str) -> Side {
    let document = Document {
        name: "node.yml",
        text: yaml,
    };
    let spec = parse(&[document]).unwrap().spec;
    let mut lock = Lock::default();
    for name in references(&spec, Architecture::Amd64) {
        // Only the init image's tag moves.
        let salt = if name.contains("/init") { salt } else { "" };
        let digest = Digest::of(format!("{name}{salt}").as_bytes());
        let platforms = Default::default();
        if name.starts_with("builtin:") {
            let parts = [("linux/amd64".to_owned(), Default::default())].into();
            lock.boot = Some(LockedBoot {
                digest,
                platforms,
                parts,
            });
        } else {
            lock.images.insert(name, LockedImage { digest, platforms });
        }
    }
    let mut inline = |_: &str, _: bool| Ok(None);
    let options = DiskOptions::default();
    let arch = Architecture::Amd64;
    match lock_spec(&spec, arch, Some(&lock), None, &options, &mut inline).unwrap() {
        Outcome::Locked(locked) => Side::from(*locked),
        Outcome::Unpinned(names) => panic!("{names:?}"),
    }
}

fn told(new: &str, detail: Detail) -> String {
    let diff = Diff::of_specs(&locked(OLD, "old"), &locked(new, "new"));
    let text = text(&diff, detail);
    // Without the ids.
    text.lines().skip(1).collect::<Vec<_>>().join("\n")
}

/// The short digest that a reference is locked to.
fn digest(name: &str) -> String {
    Digest::of(name.as_bytes()).to_string()[..19].to_owned()
}

#[test]
fn references_and_settings_as_a_reviewer_reads_them() {
    let new = OLD
        .replace("web:1", "web:2")
        .replace("quiet", "debug panic=1")
        .replace("[CAP_CHOWN]", "[CAP_CHOWN, CAP_SYS_ADMIN]")
        .replace("TOKEN=old-secret", "TOKEN=new-secret")
        .replace("contents: old-secret", "contents: new-secret")
        .replace("  - path: etc/gone\n    directory: true\n", "")
        .replace(
            "onboot:\n",
            "onboot:\n  - name: sysctl\n    image: acme.example/sysctl:1\n    binds: [/:/host]\n",
        );
    let (init_old, init_new) = (
        digest("acme.example/init:1old"),
        digest("acme.example/init:1new"),
    );
    let (one, two) = (digest("acme.example/web:1"), digest("acme.example/web:2"));
    let sysctl = digest("acme.example/sysctl:1");
    let wanted = format!(
        "references\n  \
         ~ acme.example/init:1  {init_old} → {init_new}\n  \
         + acme.example/sysctl:1  {sysctl}\n  \
         ~ acme.example/web:1 → :2  {one} → {two}\n\
         settings\n  \
         - files etc/gone\n  \
         ~ files etc/motd contents\n  \
         ~ kernel cmdline  -quiet +debug +panic=1\n  \
         !+ onboot sysctl  acme.example/sysctl:1  (binds)\n  \
         !~ services web capabilities  +CAP_SYS_ADMIN\n  \
         ~ services web env TOKEN"
    );
    assert_eq!(told(&new, Detail::TERMINAL), wanted);
    let plan = told(&new, Detail::PLAN);
    assert!(plan.contains("~ kernel cmdline\n"), "{plan}");
    for secret in ["old-secret", "new-secret", "panic=1", "SYS_ADMIN"] {
        assert!(!plan.contains(secret), "{plan}");
    }
}

#[test]
fn order_counts_only_among_those_that_stay() {
    let swapped = OLD.replace(
        "  - acme.example/init:1\n  - acme.example/runc:1\n",
        "  - acme.example/runc:1\n  - acme.example/init:1\n",
    );
    let text = told(&swapped, Detail::TERMINAL);
    assert!(
        text.contains("~ init order  [acme.example/init:1, acme.example/runc:1] →"),
        "{text}"
    );
    let web = "  - name: web\n    image: acme.example/web:1\n    env: [\"TOKEN=old-secret\", \"A=1\"]\n    capabilities: [CAP_CHOWN]\n";
    let ntp = "  - name: ntp\n    image: acme.example/ntp:1\n";
    let swapped = OLD.replace(&format!("{web}{ntp}"), &format!("{ntp}{web}"));
    assert_ne!(swapped, OLD);
    let text = told(&swapped, Detail::TERMINAL);
    assert!(
        text.contains("~ services order  [web, ntp] → [ntp, web]"),
        "{text}"
    );
    let shorter = OLD.replace(ntp, "");
    let text = told(&shorter, Detail::TERMINAL);
    assert!(!text.contains("order"), "{text}");
    assert!(
        text.contains("- services ntp  acme.example/ntp:1"),
        "{text}"
    );
}

#[test]
fn the_same_image_is_said_to_be_the_same() {
    let side = locked(OLD, "");
    let diff = Diff::of_specs(&side, &side);
    assert!(!diff.differs() && diff.is_same_image());
    let id = LockedSpec::id(&side.locked);
    assert_eq!(
        text(&diff, Detail::TERMINAL),
        format!("image {} (amd64)\nthe same image", &id[..19])
    );
}

#[test]
fn long_lists_are_cut_and_counted() {
    let mut lines = Lines(Vec::new());
    let detail = Detail {
        lines: 2,
        ..Detail::TERMINAL
    };
    let items = |count: u32| (0..count).map(|it| it.to_string()).collect();
    lines.list("a", items(3), detail);
    lines.list("b", items(4), detail);
    assert_eq!(lines.0.join("|"), "a|  0|  1|  2|b|  0|  1|  … and 2 more");
}

#[test]
fn growth_as_people_read_it() {
    assert_eq!(growth(1 << 20, 3 << 19), "1.0 MiB → 1.5 MiB (+512.0 KiB)");
    assert_eq!(growth(10, 4), "10 B → 4 B (-6 B)");
    assert_eq!(growth(4, 4), "4 B");
}
