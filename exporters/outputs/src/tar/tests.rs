//! What we write, read by GNU tar and by Python's tarfile, which share no code.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nodeimage_builder::rootfs::{Build, Inputs};
use nodeimage_disk::StoredFile;

use super::*;

fn node(kind: Kind) -> Node {
    Node {
        kind,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: 1_492_533_000,
        xattrs: BTreeMap::new(),
    }
}

fn file(text: &str) -> Node {
    node(Kind::File(Data::Bytes(text.as_bytes().into())))
}

fn component(label: &str, tree: Tree) -> Component {
    Component {
        label: label.to_owned(),
        source: "example/image:1".to_owned(),
        inputs: Inputs::Tree([0; 32]),
        build: Build::Tree(tree),
    }
}

fn archive(trees: Vec<Tree>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut archive = Archive::new(&mut out, Origins::default());
    for (at, tree) in trees.into_iter().enumerate() {
        let component = component(&format!("init[{at}]"), tree);
        let Build::Tree(tree) = &component.build else {
            unreachable!()
        };
        archive.append(&component, tree).unwrap();
    }
    archive.finish().unwrap();
    out
}

fn fed(program: &str, arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A reader may have seen enough.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {errors}");
    let odd = errors
        .lines()
        .filter(|line| !line.contains("LINUXKIT.") && !line.is_empty());
    assert_eq!(odd.collect::<Vec<_>>(), Vec::<&str>::new(), "{program}");
    String::from_utf8(output.stdout).unwrap()
}

const PYTHON: &str = r#"
import sys, tarfile
for it in tarfile.open(fileobj=sys.stdin.buffer, mode="r|"):
    kind = next(k for k in ("reg", "dir", "sym", "lnk", "chr", "blk", "fifo") if getattr(it, "is" + k)())
    attrs = {k: v for k, v in sorted(it.pax_headers.items()) if k.startswith("SCHILY")}
    print(kind, repr(it.name), oct(it.mode), it.uid, it.gid, it.size, int(it.mtime), repr(it.linkname),
          it.devmajor, it.devminor, it.pax_headers["LINUXKIT.location"], attrs)
"#;

fn python(bytes: &[u8]) -> Vec<String> {
    let listing = fed("python3", &["-c", PYTHON], bytes);
    listing.lines().map(str::to_owned).collect()
}

/// Everything a header of 512 bytes has no room for.
fn corners() -> Tree {
    let long = [vec![b'd'; 90], b"/".to_vec(), vec![b'f'; 60]].concat();
    let with = |change: &dyn Fn(&mut Node)| {
        let mut node = file("x");
        change(&mut node);
        node
    };
    Tree::from([
        (Vec::new(), node(Kind::Dir)),
        (vec![b'n'; 100], file("just fits")),
        (vec![b'o'; 101], file("does not")),
        (vec![b'd'; 90], node(Kind::Dir)),
        (long.clone(), file("deep")),
        (b"a-link".to_vec(), node(Kind::HardLink(long))),
        ("grün\n\u{1f600}".into(), file("name")),
        (b"sym".to_vec(), node(Kind::Symlink(vec![b't'; 300]))),
        (
            b"owner".to_vec(),
            with(&|it| (it.uid, it.gid) = (u32::MAX, 2_097_152)),
        ),
        (
            b"owner-fits".to_vec(),
            with(&|it| (it.uid, it.gid) = (2_097_151, 65_534)),
        ),
        (b"early".to_vec(), with(&|it| it.mtime = -5)),
        (b"late".to_vec(), with(&|it| it.mtime = 1 << 40)),
        (b"setuid".to_vec(), with(&|it| it.mode = 0o104_755)),
        (b"null".to_vec(), node(Kind::Char { major: 1, minor: 3 })),
        (
            b"disk".to_vec(),
            node(Kind::Block {
                major: 4095,
                minor: 1_048_575,
            }),
        ),
        (
            b"odd".to_vec(),
            node(Kind::Block {
                major: i32::MAX as u32,
                minor: 2_097_152,
            }),
        ),
        (b"pipe".to_vec(), node(Kind::Fifo)),
        (
            b"attributes".to_vec(),
            with(&|it| {
                let cap = vec![1, 0, 0, 2, b'\n', 0, 0, b'='];
                it.xattrs.insert(b"security.capability".to_vec(), cap);
                it.xattrs.insert(b"user.a=b".to_vec(), b"c=d".to_vec());
            }),
        ),
    ])
}

#[test]
fn python_reads_every_corner() {
    let rows = python(&archive(vec![corners()]));
    let name = |name: &str| {
        let name = format!("{name:?} ");
        rows.iter()
            .find(|row| row.replace('\'', "\"").contains(&format!(" {name}")))
            .unwrap_or_else(|| panic!("no {name} in {rows:#?}"))
            .as_str()
    };
    let (n, o, d, f) = (
        "n".repeat(100),
        "o".repeat(101),
        "d".repeat(90),
        "f".repeat(60),
    );
    assert!(name(&n).contains(" 9 1492533000 "));
    assert!(name(&o).contains(" 8 1492533000 "));
    assert!(name(&format!("{d}/{f}")).starts_with("reg"));
    assert!(name("a-link").starts_with("lnk") && name("a-link").contains(&format!("'{d}/{f}'")));
    assert!(rows.last().unwrap().starts_with("lnk"), "behind its file");
    assert!(rows.iter().any(|row| row.contains("'grün\\n\u{1f600}'")));
    assert!(name("sym").contains(&format!("'{}'", "t".repeat(300))));
    assert!(name("owner").contains(" 4294967295 2097152 "));
    assert!(name("owner-fits").contains(" 2097151 65534 "));
    assert!(name("early").contains(" -5 "));
    assert!(name("late").contains(" 1099511627776 "));
    assert!(name("setuid").contains("0o4755"));
    assert!(name("null").contains(" 1 3 init[0]"));
    assert!(name("disk").contains(" 4095 1048575 "));
    assert!(name("odd").contains(" 2147483647 2097152 "));
    assert!(name("pipe").starts_with("fifo"));
    let attributes = name("attributes");
    assert!(attributes.contains("SCHILY.xattr.security.capability"));
    assert!(
        attributes.contains("'SCHILY.xattr.user.a%3Db': 'c=d'"),
        "{attributes}"
    );
    assert!(
        rows.iter().all(|row| !row.contains(" '' 0o")),
        "no entry for the root"
    );
}

#[test]
fn gnu_tar_reads_every_corner() {
    let bytes = archive(vec![corners()]);
    let listing = fed("tar", &["-tvf", "-", "--xattrs", "--numeric-owner"], &bytes);
    let line = |name: &str| {
        listing
            .lines()
            .find(|line| line.ends_with(name))
            .unwrap_or_else(|| panic!("no {name} in {listing}"))
    };
    assert!(listing.contains("grün\\n\u{1f600}"));
    assert!(line(" owner").contains("4294967295/2097152"));
    assert!(line(" early").contains("1969-12-31 23:59"));
    assert!(line(" late").contains("36812-"));
    assert!(line(" disk").contains("4095,1048575"));
    assert!(line(" odd").contains("2147483647,2097152"));
    assert!(line(" setuid").starts_with("-rwsr-xr-x"));
    let attributes = fed(
        "tar",
        &["-tvvf", "-", "--xattrs", "--xattrs-include=*"],
        &bytes,
    );
    assert!(
        attributes.contains("x: 8 security.capability"),
        "{attributes}"
    );
    assert!(attributes.contains("x: 3 user.a=b"), "{attributes}");
}

#[test]
fn a_later_component_wins() {
    let folder = tempfile::tempdir().unwrap();
    let first = Tree::from([
        (b"etc".to_vec(), node(Kind::Dir)),
        (b"etc/a".to_vec(), node(Kind::HardLink(b"etc/b".to_vec()))),
        (b"etc/b".to_vec(), file("first")),
    ]);
    let second = Tree::from([(b"etc/b".to_vec(), file("second"))]);
    let bytes = archive(vec![first, second]);
    let at = folder.path().to_str().unwrap();
    fed("tar", &["-xf", "-", "-C", at, "--no-same-owner"], &bytes);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(
        (read("etc/a").as_str(), read("etc/b").as_str()),
        ("first", "second")
    );
    let rows = python(&bytes);
    assert!(rows.last().unwrap().contains("init[1]"));
}

#[test]
fn sizes_of_8_gib_and_more() {
    let len = (8 << 30) + 1;
    let stored = Arc::new(StoredFile {
        path: "/none".into(),
        len,
        block_hashes: vec![],
    });
    let data = Data::Stored {
        file: stored,
        offset: 0,
        len,
    };
    let mut records = Records::default();
    records.add(b"LINUXKIT.location", b"init[0]");
    let header = pax::header(b"big", &node(Kind::File(data)), records);
    assert_eq!(header.len() % pax::BLOCK, 0);
    let first = PYTHON.replace("for it in tarfile.open(", "for it in [tarfile.open(");
    let first = first.replace("mode=\"r|\"):", "mode=\"r|\").next()]:");
    let row = fed("python3", &["-c", &first], &header);
    assert!(row.contains(" 8589934593 "), "{row}");
    // Without its record, for readers that know only the header.
    let bare = &header[header.len() - pax::BLOCK..];
    let bare_row = fed(
        "python3",
        &["-c", &first.replace("[\"LINUXKIT.location\"]", "")],
        bare,
    );
    assert!(bare_row.contains(" 8589934593 "), "{bare_row}");
}

#[test]
fn a_missing_layer_is_named() {
    let stored = Arc::new(StoredFile {
        path: "/no/such/layer".into(),
        len: 1,
        block_hashes: vec![],
    });
    let data = Data::Stored {
        file: stored,
        offset: 0,
        len: 1,
    };
    let tree = Tree::from([(b"x".to_vec(), node(Kind::File(data)))]);
    let mut out = Vec::new();
    let error = Archive::new(&mut out, Origins::default())
        .append(&component("init[0]", tree.clone()), &tree)
        .unwrap_err();
    assert!(error.to_string().contains("/no/such/layer"), "{error}");
}
