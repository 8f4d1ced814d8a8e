//! A [`Tree`] as one newc cpio archive with its trailer, the form the kernel unpacks
//! (`Documentation/driver-api/early-userspace/buffer-format.rst`).
//!
//! Written here because the `cpio` crate has neither device nodes nor hard links, and because
//! every byte must follow from the tree alone: inode numbers count from 1, owners and times are
//! the nodes', the order is the tree's.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use nodeimage_disk::StoredFile;
use nodeimage_images::{Data, Kind, Node, Tree};

use super::SegmentError;

const S_IFIFO: u32 = 0o010_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFBLK: u32 = 0o060_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;
const HEADER: u64 = 110;
const TRAILER: &[u8] = b"TRAILER!!!";
/// The kernel's PATH_MAX, which counts the final NUL.
const PATH_MAX: usize = 4096;
/// Files are read in pieces of this size.
const BUFFER: usize = 256 * 1024;

/// Writes `tree` to `out`; the bytes are [`archive_len`] in number.
pub fn write(tree: &Tree, out: &mut dyn Write) -> Result<(), SegmentError> {
    let links = Links::of(tree)?;
    let mut source = Source::default();
    let mut writer = Writer { out, at: 0, ino: 0 };
    for (path, node) in tree {
        if path.is_empty() {
            continue;
        }
        check(path, node)?;
        match &node.kind {
            Kind::Dir => writer.entry(path, node, S_IFDIR, 2, (0, 0), None, 0)?,
            Kind::Fifo => writer.entry(path, node, S_IFIFO, 1, (0, 0), None, 0)?,
            Kind::Char { major, minor } => {
                writer.entry(path, node, S_IFCHR, 1, (*major, *minor), None, 0)?;
            }
            Kind::Block { major, minor } => {
                writer.entry(path, node, S_IFBLK, 1, (*major, *minor), None, 0)?;
            }
            Kind::Symlink(target) => {
                let len = target.len() as u64;
                writer.entry(path, node, S_IFLNK, 1, (0, 0), None, len)?;
                writer.data(target)?;
                writer.pad()?;
            }
            Kind::File(_) | Kind::HardLink(_) => {
                writer.regular(tree, path, node, &links, &mut source)?;
            }
        }
    }
    writer.header(0, 0, &Times::default(), 1, (0, 0), 0, TRAILER)?;
    Ok(())
}

/// The exact length of what [`write`] writes, so that the compressor can be told it in advance.
/// What no cpio can hold is an error before anything is written.
pub fn archive_len(tree: &Tree) -> Result<u64, SegmentError> {
    let links = Links::of(tree)?;
    let mut total = 0u64;
    let mut add = |name: usize, data: u64| {
        total = pad4(total + HEADER + name as u64 + 1);
        total = pad4(total + data);
    };
    for (path, node) in tree {
        if path.is_empty() {
            continue;
        }
        check(path, node)?;
        let data = match &node.kind {
            Kind::Symlink(target) => target.len() as u64,
            Kind::File(data) if links.carries(path, path) => data.len(),
            Kind::HardLink(target) if links.carries(target, path) => links.len(tree, target),
            _ => 0,
        };
        add(path.len(), data);
    }
    add(TRAILER.len(), 0);
    Ok(total)
}

fn pad4(at: u64) -> u64 {
    at.next_multiple_of(4)
}

/// What the kernel would drop without a word.
fn check(path: &[u8], node: &Node) -> Result<(), SegmentError> {
    if path.len() >= PATH_MAX {
        return Err(SegmentError::PathTooLong { path: lossy(path) });
    }
    if path == TRAILER {
        return Err(SegmentError::Trailer);
    }
    match &node.kind {
        Kind::Symlink(target) if target.is_empty() || target.len() >= PATH_MAX => {
            Err(SegmentError::Target {
                path: lossy(path),
                len: target.len(),
            })
        }
        Kind::File(data) => length(path, data.len()).map(drop),
        _ => Ok(()),
    }
}

/// The length of a file, for which a header has 32 bits.
fn length(path: &[u8], len: u64) -> Result<u32, SegmentError> {
    u32::try_from(len).map_err(|_| SegmentError::FileTooLarge {
        path: lossy(path),
        len,
    })
}

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// Which name of a file with several carries the data: the first in the tree's order.
struct Links {
    /// Target path → (first name, number of names). Files with one name are not in it.
    groups: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
}

impl Links {
    fn of(tree: &Tree) -> Result<Self, SegmentError> {
        let mut groups: BTreeMap<Vec<u8>, (Vec<u8>, u32)> = BTreeMap::new();
        for (path, node) in tree {
            let Kind::HardLink(target) = &node.kind else {
                continue;
            };
            if !matches!(
                tree.get(target),
                Some(Node {
                    kind: Kind::File(_),
                    ..
                })
            ) {
                return Err(SegmentError::DanglingLink {
                    path: lossy(path),
                    target: lossy(target),
                });
            }
            let first = if path < target { path } else { target };
            groups
                .entry(target.clone())
                .and_modify(|(first, names)| {
                    *names += 1;
                    if path < first {
                        first.clone_from(path);
                    }
                })
                .or_insert_with(|| (first.clone(), 2));
        }
        Ok(Self { groups })
    }

    fn carries(&self, target: &[u8], path: &[u8]) -> bool {
        self.groups
            .get(target)
            .is_none_or(|(first, _)| first == path)
    }

    fn names(&self, target: &[u8]) -> u32 {
        self.groups.get(target).map_or(1, |(_, names)| *names)
    }

    fn len(&self, tree: &Tree, target: &[u8]) -> u64 {
        match tree.get(target).map(|node| &node.kind) {
            Some(Kind::File(data)) => data.len(),
            _ => 0,
        }
    }
}

#[derive(Default)]
struct Times {
    uid: u32,
    gid: u32,
    mtime: u32,
}

impl From<&Node> for Times {
    fn from(node: &Node) -> Self {
        let mtime = u32::try_from(node.mtime.max(0)).unwrap_or(u32::MAX);
        Self {
            uid: node.uid,
            gid: node.gid,
            mtime,
        }
    }
}

struct Writer<'a> {
    out: &'a mut dyn Write,
    at: u64,
    ino: u32,
}

impl Writer<'_> {
    #[expect(clippy::too_many_arguments, reason = "the fields of one newc header")]
    fn entry(
        &mut self,
        path: &[u8],
        node: &Node,
        kind: u32,
        nlink: u32,
        device: (u32, u32),
        ino: Option<u32>,
        len: u64,
    ) -> Result<(), SegmentError> {
        let ino = ino.unwrap_or_else(|| {
            self.ino += 1;
            self.ino
        });
        let len = length(path, len)?;
        let mode = kind | (node.mode & 0o7777);
        self.header(ino, mode, &Times::from(node), nlink, device, len, path)
    }

    fn regular(
        &mut self,
        tree: &Tree,
        path: &[u8],
        node: &Node,
        links: &Links,
        source: &mut Source,
    ) -> Result<(), SegmentError> {
        let target = match &node.kind {
            Kind::HardLink(target) => target.as_slice(),
            _ => path,
        };
        let Some(Node {
            kind: Kind::File(data),
            ..
        }) = tree.get(target)
        else {
            return Err(SegmentError::DanglingLink {
                path: lossy(path),
                target: lossy(target),
            });
        };
        let owner = tree.get(target).unwrap_or(node);
        let names = links.names(target);
        let first = links.carries(target, path);
        let ino = (names > 1).then(|| source.inode(target, &mut self.ino));
        let len = if first { data.len() } else { 0 };
        self.entry(path, owner, S_IFREG, names, (0, 0), ino, len)?;
        if first {
            source.copy(data, &mut |bytes| self.data(bytes))?;
            self.pad()?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one newc header")]
    fn header(
        &mut self,
        ino: u32,
        mode: u32,
        times: &Times,
        nlink: u32,
        device: (u32, u32),
        len: u32,
        name: &[u8],
    ) -> Result<(), SegmentError> {
        let (major, minor) = device;
        let name_len = name.len() + 1;
        let Times { uid, gid, mtime } = times;
        let mut header = format!(
            "070701{ino:08X}{mode:08X}{uid:08X}{gid:08X}{nlink:08X}{mtime:08X}{len:08X}\
             {:08X}{:08X}{major:08X}{minor:08X}{name_len:08X}{:08X}",
            0, 0, 0
        )
        .into_bytes();
        header.extend_from_slice(name);
        header.push(0);
        self.data(&header)?;
        self.pad()
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), SegmentError> {
        self.out.write_all(bytes).map_err(SegmentError::Write)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn pad(&mut self) -> Result<(), SegmentError> {
        let zeros = (pad4(self.at) - self.at) as usize;
        self.data(&[0; 3][..zeros])
    }
}

/// Reads stored files, keeping the last one open: a layer's files follow one another.
#[derive(Default)]
struct Source {
    open: Option<(Arc<StoredFile>, File)>,
    inodes: BTreeMap<Vec<u8>, u32>,
    buffer: Vec<u8>,
}

impl Source {
    fn inode(&mut self, target: &[u8], next: &mut u32) -> u32 {
        *self.inodes.entry(target.to_vec()).or_insert_with(|| {
            *next += 1;
            *next
        })
    }

    fn copy(
        &mut self,
        data: &Data,
        write: &mut dyn FnMut(&[u8]) -> Result<(), SegmentError>,
    ) -> Result<(), SegmentError> {
        let (stored, offset, len) = match data {
            Data::Bytes(bytes) => return write(bytes),
            Data::Stored { file, offset, len } => (file, *offset, *len),
        };
        let error = |source| SegmentError::Read {
            path: stored.path.clone(),
            source,
        };
        if self
            .open
            .as_ref()
            .is_none_or(|(open, _)| !Arc::ptr_eq(open, stored))
        {
            let file = File::open(&stored.path).map_err(error)?;
            self.open = Some((Arc::clone(stored), file));
        }
        let Some((_, file)) = &self.open else {
            return Ok(());
        };
        self.buffer.resize(BUFFER, 0);
        let mut done = 0;
        while done < len {
            let want = (len - done).min(BUFFER as u64) as usize;
            let piece = &mut self.buffer[..want];
            match file.read_at(piece, offset.saturating_add(done)) {
                Ok(0) => return Err(error(io::ErrorKind::UnexpectedEof.into())),
                Ok(got) => {
                    write(&piece[..got])?;
                    done += got as u64;
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(error(cause)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn node(kind: Kind, mode: u32) -> Node {
        Node {
            kind,
            mode,
            uid: 7,
            gid: 8,
            mtime: 1_492_533_000,
            xattrs: BTreeMap::new(),
        }
    }

    fn sample() -> Tree {
        let file = |text: &str| Kind::File(Data::Bytes(text.as_bytes().into()));
        Tree::from([
            (b"".to_vec(), node(Kind::Dir, 0o755)),
            (b"dev".to_vec(), node(Kind::Dir, 0o755)),
            (
                b"dev/null".to_vec(),
                node(Kind::Char { major: 1, minor: 3 }, 0o666),
            ),
            (
                b"a-link".to_vec(),
                node(Kind::HardLink(b"file".to_vec()), 0o644),
            ),
            (b"file".to_vec(), node(file("hello"), 0o4755)),
            (b"empty".to_vec(), node(file(""), 0o600)),
            (
                b"sym".to_vec(),
                node(Kind::Symlink(b"file".to_vec()), 0o777),
            ),
            (
                b"z-link".to_vec(),
                node(Kind::HardLink(b"file".to_vec()), 0o644),
            ),
            (b"pipe".to_vec(), node(Kind::Fifo, 0o600)),
        ])
    }

    fn archive(tree: &Tree) -> Vec<u8> {
        let mut out = Vec::new();
        write(tree, &mut out).unwrap();
        out
    }

    #[test]
    fn length_is_known_in_advance() {
        let tree = sample();
        assert_eq!(archive(&tree).len() as u64, archive_len(&tree).unwrap());
    }

    fn listed(archive: &[u8]) -> String {
        let mut child = Command::new("cpio")
            .args(["-itvn", "--quiet"])
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("GNU cpio is installed by `cargo xtask test`");
        child.stdin.take().unwrap().write_all(archive).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn gnu_cpio_lists_what_we_wrote() {
        let listing = listed(&archive(&sample()));
        let fields: Vec<Vec<&str>> = listing
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let row = |name: &str| {
            fields
                .iter()
                .find(|row| row.contains(&name))
                .unwrap_or_else(|| panic!("no {name}"))
        };
        assert_eq!(row("file")[..4], ["-rwsr-xr-x", "3", "7", "8"]);
        assert_eq!(row("a-link")[..2], ["-rwsr-xr-x", "3"]);
        assert_eq!(row("a-link")[4], "5", "the first name carries the data");
        assert_eq!(row("z-link")[4], "0");
        assert_eq!(row("dev/null")[0], "crw-rw-rw-");
        assert_eq!(row("pipe")[0], "prw-------");
        assert!(listing.contains("sym -> file"));
        assert!(listing.contains("2017"));
    }

    #[test]
    fn odd_trees_come_back_from_gnu_cpio() {
        let mut odd = node(Kind::File(Data::Bytes(b"x".as_slice().into())), 0o644);
        (odd.uid, odd.gid, odd.mtime) = (u32::MAX - 1, 2_097_152, -7);
        let mut late = node(Kind::Fifo, 0o600);
        late.mtime = i64::MAX;
        let deep = vec![b'd'; 4095];
        let tree = Tree::from([
            (b"new\nline".to_vec(), odd),
            (b"\xff\xfe".to_vec(), late),
            (
                b"disk".to_vec(),
                node(
                    Kind::Block {
                        major: 4095,
                        minor: 1_048_575,
                    },
                    0o600,
                ),
            ),
            (deep, node(Kind::Dir, 0o755)),
        ]);
        let bytes = archive(&tree);
        assert_eq!(bytes.len() as u64, archive_len(&tree).unwrap());
        let listing = listed(&bytes);
        assert!(
            listing.contains("4294967294 2097152") && listing.contains("new\nline"),
            "{listing}"
        );
        assert!(listing.contains("4095, 1048575"), "{listing}");
        assert!(
            listing.contains("1970") && listing.contains("2106"),
            "times are clamped"
        );
        assert_eq!(listed(&archive(&Tree::new())), "", "a trailer alone");
    }

    #[test]
    fn what_the_kernel_drops_silently_is_refused() {
        let refused = |path: Vec<u8>, kind: Kind| {
            let tree = Tree::from([(path, node(kind, 0o644))]);
            write(&tree, &mut io::sink()).unwrap_err().to_string()
        };
        let file = || Kind::File(Data::Bytes(b"".as_slice().into()));
        assert!(refused(vec![b'p'; 4096], file()).contains("longer than the kernel's 4095"));
        assert!(refused(b"TRAILER!!!".to_vec(), file()).contains("rename it"));
        for len in [0, 4096] {
            let error = refused(b"l".to_vec(), Kind::Symlink(vec![b't'; len]));
            assert!(error.contains("1 to 4095"), "{error}");
        }
    }

    #[test]
    fn names_of_a_file_share_an_inode_and_others_do_not() {
        let bytes = archive(&sample());
        let ino = |name: &str| {
            let needle = [name.as_bytes(), b"\0"].concat();
            let at = bytes.windows(needle.len()).position(|it| it == needle);
            String::from_utf8(bytes[at.unwrap() - 104..at.unwrap() - 96].to_vec()).unwrap()
        };
        assert_eq!(ino("a-link"), ino("file"));
        assert_eq!(ino("z-link"), ino("file"));
        let all: std::collections::BTreeSet<_> =
            ["dev", "empty", "file", "pipe", "sym"].map(ino).into();
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn a_link_to_nothing_is_refused() {
        let tree = Tree::from([(b"l".to_vec(), node(Kind::HardLink(b"gone".to_vec()), 0o644))]);
        assert!(matches!(
            archive_len(&tree),
            Err(SegmentError::DanglingLink { .. })
        ));
    }

    #[test]
    fn four_gib_do_not_fit() {
        let stored = Arc::new(StoredFile {
            path: "/none".into(),
            len: 1 << 32,
            block_hashes: vec![],
        });
        let data = Data::Stored {
            file: stored,
            offset: 0,
            len: 1 << 32,
        };
        let tree = Tree::from([(b"big".to_vec(), node(Kind::File(data), 0o644))]);
        for error in [
            write(&tree, &mut io::sink()).unwrap_err(),
            archive_len(&tree).unwrap_err(),
        ] {
            assert!(error.to_string().contains("4 GiB"), "{error}");
        }
    }
}
