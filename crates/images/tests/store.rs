//! The store under threads, processes, kill -9, a full disk, damage and a size limit.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use common::child;
use nodeimage_images::store::{Bucket, Check, Entry, StoreError, Writer};
use nodeimage_images::{Store, StoreLimits};
use sha2::Digest as _;

const KEY: [u8; 32] = [7; 32];

fn open(dir: &Path) -> Store {
    Store::open(dir.join("store"), StoreLimits::default()).unwrap()
}

fn put(store: &Store, key: u8, len: usize) -> Entry {
    let data = vec![key; len];
    store
        .once(Bucket::Segments, &[key; 32], |writer: &mut Writer| {
            writer.append(&data)
        })
        .unwrap()
}

fn get(store: &Store, key: u8) -> Option<Entry> {
    store.get(Bucket::Segments, &[key; 32]).unwrap()
}

fn files(store: &Store, dir: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(store.root().join(dir)).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

/// As if it had been used long ago.
fn age(entry: &Entry, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 86_400);
    File::open(&entry.file().path)
        .unwrap()
        .set_modified(then)
        .unwrap();
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert!(store.get(Bucket::Layers, &KEY).unwrap().is_none());
    let build = |writer: &mut Writer| {
        writer.set_meta(b"meta".to_vec());
        writer.write_all(b"da").unwrap();
        writer.append(b"ta")
    };
    let entry = store.once(Bucket::Layers, &KEY, build).unwrap();
    let never = |_: &mut Writer| -> Result<(), StoreError> { panic!("it is there") };
    let again = open(dir.path()).once(Bucket::Layers, &KEY, never).unwrap();
    for entry in [entry, again] {
        assert_eq!(entry.read().unwrap(), b"data");
        assert_eq!(entry.meta(), b"meta");
        assert_eq!(entry.file().len, 4);
        assert!(entry.file().block_hashes.is_empty());
        assert!(entry.verify().unwrap());
    }
    assert!(store.get(Bucket::Segments, &KEY).unwrap().is_none());
    assert!(files(&store, "tmp").is_empty() && files(&store, "locks").is_empty());
}

#[test]
fn block_hashes_do_not_depend_on_how_writes_are_cut() {
    const BLOCK: usize = 512 * 1024;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for (key, len) in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7]
        .into_iter()
        .enumerate()
    {
        let data: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let expected: Vec<[u8; 32]> = data
            .chunks(BLOCK)
            .map(|block| {
                let mut padded = block.to_vec();
                padded.resize(BLOCK, 0);
                sha2::Sha256::digest(&padded).into()
            })
            .collect();
        for cut in [1000, 300_000, usize::MAX] {
            let key = [key as u8; 32];
            store.remove(Bucket::Images, &key).unwrap();
            let build = |writer: &mut Writer| {
                writer.set_check(Check::Blocks)?;
                data.chunks(cut).try_for_each(|piece| writer.append(piece))
            };
            let entry = store.once(Bucket::Images, &key, build).unwrap();
            assert_eq!(entry.file().block_hashes, expected);
            assert_eq!(entry.read().unwrap(), data);
            assert!(entry.verify().unwrap());
        }
    }
}

#[test]
fn a_failed_build_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    #[derive(Debug)]
    enum Mine {
        Failed,
        Store(#[allow(dead_code)] StoreError),
    }
    impl From<StoreError> for Mine {
        fn from(error: StoreError) -> Self {
            Self::Store(error)
        }
    }
    let fail = |writer: &mut Writer| {
        writer.append(&[1; 1 << 20])?;
        Err(Mine::Failed)
    };
    assert!(matches!(
        store.once(Bucket::Layers, &KEY, fail),
        Err(Mine::Failed)
    ));
    let unproved = |writer: &mut Writer| Ok(writer.set_check(Check::Given)?);
    assert!(matches!(
        store.once(Bucket::Layers, &KEY, unproved),
        Err(Mine::Store(_))
    ));
    let late = |writer: &mut Writer| {
        writer.append(b"x")?;
        Ok(writer.set_check(Check::Blocks)?)
    };
    assert!(matches!(
        store.once(Bucket::Layers, &KEY, late),
        Err(Mine::Store(_))
    ));
    let panics = std::panic::catch_unwind(|| {
        store.once(
            Bucket::Layers,
            &KEY,
            |writer: &mut Writer| -> Result<(), StoreError> {
                writer.append(b"x")?;
                panic!("in the middle")
            },
        )
    });
    assert!(panics.is_err());
    assert!(store.get(Bucket::Layers, &KEY).unwrap().is_none());
    for dir in ["tmp", "locks", "layers-v1"] {
        assert!(files(&store, dir).is_empty(), "{dir}");
    }
}

#[test]
fn threads_build_once() {
    let dir = tempfile::tempdir().unwrap();
    let (built, waited) = (AtomicU32::new(0), AtomicU32::new(0));
    let store = open(dir.path());
    let barrier = std::sync::Barrier::new(12);
    std::thread::scope(|scope| {
        for number in 0..12 {
            // Some share a store, some have one of their own.
            let store = if number % 2 == 0 {
                store.clone()
            } else {
                open(dir.path())
            };
            let (barrier, built, waited) = (&barrier, &built, &waited);
            scope.spawn(move || {
                barrier.wait();
                let waiting = || {
                    waited.fetch_add(1, Ordering::Relaxed);
                };
                let build = |writer: &mut Writer| {
                    built.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(100));
                    writer.append(b"once")
                };
                let entry = store
                    .once_or_wait(Bucket::Layers, &KEY, waiting, build)
                    .unwrap();
                assert_eq!(entry.read().unwrap(), b"once");
            });
        }
    });
    assert_eq!(built.into_inner(), 1);
    assert!(waited.into_inner() > 0);
    assert!(files(&store, "locks").is_empty());
}

#[test]
#[ignore = "run by processes_build_once"]
fn child_builds() {
    let dir = child::dir();
    let build = |writer: &mut Writer| {
        let mut log = File::options()
            .append(true)
            .create(true)
            .open(dir.join("log"))
            .unwrap();
        writeln!(log, "{}", std::process::id()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        writer.append(b"once")
    };
    let entry = open(&dir).once(Bucket::Layers, &KEY, build).unwrap();
    assert_eq!(entry.read().unwrap(), b"once");
}

#[test]
fn processes_build_once() {
    let dir = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..5)
        .map(|_| child::command("child_builds", dir.path()).spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[test]
#[ignore = "run by a_killed_builder_leaves_nothing"]
fn child_hangs() {
    let build = |writer: &mut Writer| -> Result<(), StoreError> {
        writer.append(&vec![1; 1 << 20])?;
        println!("building");
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    };
    open(&child::dir())
        .once(Bucket::Layers, &KEY, build)
        .unwrap();
}

#[test]
fn a_killed_builder_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let hanging = child::start("child_hangs", dir.path(), "building");
    let store = open(dir.path());
    assert_eq!(files(&store, "tmp").len(), 1, "what is being written stays");
    assert_eq!(files(&store, "leases").len(), 2);
    // One that waits for it goes on by itself.
    let waiter = std::thread::spawn({
        let store = store.clone();
        move || {
            store.once(Bucket::Layers, &KEY, |writer: &mut Writer| {
                writer.append(b"mine")
            })
        }
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(!waiter.is_finished());
    child::kill(hanging);
    assert_eq!(waiter.join().unwrap().unwrap().read().unwrap(), b"mine");
    assert_eq!(files(&store, "tmp").len(), 1, "of the killed one");
    let store = open(dir.path());
    assert!(files(&store, "tmp").is_empty() && files(&store, "locks").is_empty());
    assert_eq!(store.stats().unwrap().buckets[0].entries, 1);
}

#[test]
#[ignore = "run by a_full_disk_is_an_error_that_says_so"]
fn child_fills_the_disk() {
    let store = open(&child::dir());
    put(&store, 1, 100_000);
    #[derive(Debug)]
    struct Hidden(Option<StoreError>);
    impl From<StoreError> for Hidden {
        fn from(error: StoreError) -> Self {
            Self(Some(error))
        }
    }
    // The builder sees some error; the store knows that the disk is full.
    let build = |writer: &mut Writer| {
        let copied = std::io::copy(&mut std::io::repeat(1).take(1 << 30), writer);
        copied.map(drop).map_err(|_| Hidden(None))
    };
    let error = store
        .once(Bucket::Layers, &KEY, build)
        .unwrap_err()
        .0
        .unwrap();
    assert!(error.is_full(), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("nodeimage cache prune") && text.contains("tmp/"),
        "{text}"
    );
    // Whatever still fits the buffer fails at the end.
    let fill = std::fs::File::create(store.root().join("filler")).unwrap();
    let _ = std::io::copy(&mut std::io::repeat(1), &mut &fill);
    let late = store.once(Bucket::Layers, &KEY, |writer: &mut Writer| {
        writer.append(&[1; 50_000])
    });
    assert!(late.unwrap_err().is_full());
    assert!(files(&store, "tmp").is_empty() && files(&store, "layers-v1").is_empty());
    drop(fill);
    std::fs::remove_file(store.root().join("filler")).unwrap();
    assert!(get(&store, 1).unwrap().verify().unwrap());
    put(&store, 2, 100_000);
}

#[test]
fn a_full_disk_is_an_error_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    // A mount of its own, gone with the process.
    let script = r#"mount -t tmpfs -o size=1m none "$0" && exec "$@""#;
    let inner = child::command("child_fills_the_disk", dir.path());
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .arg(dir.path());
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(
        inner
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    assert!(command.status().unwrap().success());
}

#[test]
fn damage_is_found_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let path = put(&store, 1, 100_000).file().path.clone();
    let good = std::fs::read(&path).unwrap();
    let fresh = || open(dir.path());
    // Wherever the frame is hit, it is no entry.
    let frame = [100_000, good.len() - 128, good.len() - 60, good.len() - 1];
    for at in frame {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, bad).unwrap();
        assert!(get(&fresh(), 1).is_none(), "{at}");
        assert!(!path.exists());
    }
    for len in [0, 1, 127, 128, 5000, good.len() - 1] {
        std::fs::write(&path, &good[..len]).unwrap();
        assert!(get(&fresh(), 1).is_none(), "{len}");
    }
    std::fs::write(&path, [&good[..], b"x"].concat()).unwrap();
    assert!(get(&fresh(), 1).is_none());
    // The data is hashed where that is asked for.
    let mut bad = good.clone();
    bad[5000] ^= 1;
    std::fs::write(&path, &bad).unwrap();
    assert!(get(&fresh(), 1).is_some_and(|entry| !entry.verify().unwrap()));
    assert!(
        fresh()
            .get_sound(Bucket::Segments, &[1; 32])
            .unwrap()
            .is_none()
    );
    assert!(!path.exists());
    // And built again.
    assert!(put(&fresh(), 1, 100_000).verify().unwrap());
}

#[test]
fn verify_removes_what_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, 1, 1000);
    let bad = put(&store, 2, 2000).file().path.clone();
    store
        .replace(Bucket::Journal, &KEY, b"journal", b"")
        .unwrap();
    let stray = store.root().join("layers-v1/stray");
    std::fs::write(&stray, b"what is this").unwrap();
    let mut bytes = std::fs::read(&bad).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&bad, bytes).unwrap();
    let mut seen = Vec::new();
    let verified = store.verify(|len| seen.push(len)).unwrap();
    assert_eq!(verified.entries, 4);
    assert_eq!(verified.bytes, 3007);
    assert_eq!(verified.removed, [stray, bad]);
    assert_eq!(seen.len(), 3);
    assert_eq!(store.verify(|_| ()).unwrap().removed, Vec::<PathBuf>::new());
}

#[test]
fn readers_of_a_journal_see_one_whole_version() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store
        .replace(Bucket::Journal, &KEY, &[0; 5000], b"0")
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..300 {
                    let entry = store
                        .get(Bucket::Journal, &KEY)
                        .unwrap()
                        .expect("always there");
                    assert_eq!(entry.file().len, 5000);
                }
            });
        }
        for version in 1..60_u8 {
            store
                .replace(Bucket::Journal, &KEY, &[version; 5000], &[version])
                .unwrap();
        }
    });
    let last = store.get(Bucket::Journal, &KEY).unwrap().unwrap();
    assert_eq!(
        (last.meta(), last.read().unwrap()),
        (&[59][..], vec![59; 5000])
    );
}

#[test]
fn the_least_recently_used_goes_first() {
    const MIB: usize = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let limits = StoreLimits {
        bytes: Some(4 << 20),
    };
    let limited = || Store::open(dir.path().join("store"), limits).unwrap();
    {
        let store = open(dir.path());
        for (key, days) in [(1, 3), (2, 5), (3, 4)] {
            age(&put(&store, key, MIB), days);
        }
        // Of a version this program does not know.
        let old = store.root().join("layers-v0");
        std::fs::create_dir(&old).unwrap();
        std::fs::write(old.join("x"), [1; 100]).unwrap();
        let then = SystemTime::now() - Duration::from_secs(9 * 86_400);
        File::open(old.join("x"))
            .unwrap()
            .set_modified(then)
            .unwrap();
    }
    let store = limited();
    assert_eq!(store.stats().unwrap().buckets.len(), 2);
    // Using the oldest makes it the newest.
    assert!(get(&store, 2).is_some());
    put(&store, 4, MIB);
    assert!(!store.root().join("layers-v0/x").exists());
    assert!(get(&store, 3).is_none(), "four days");
    assert!(get(&store, 1).is_some() && get(&store, 2).is_some() && get(&store, 4).is_some());
    // All is in use now: the store grows past its limit rather than break this process.
    for key in 5..10 {
        put(&store, key, MIB);
    }
    assert_eq!(store.prune(0).unwrap(), 0);
    assert_eq!(store.stats().unwrap().buckets.len(), 1);
    assert_eq!(store.stats().unwrap().buckets[0].entries, 8);
    drop(store);
    std::thread::sleep(Duration::from_millis(20));
    let store = limited();
    put(&store, 10, 1);
    assert!(store.stats().unwrap().bytes <= 4 << 20);
    std::thread::sleep(Duration::from_millis(20));
    let store = open(dir.path());
    assert!(store.prune(0).unwrap() > 0);
}

#[test]
#[ignore = "run by what_another_process_uses_stays"]
fn child_uses() {
    let store = open(&child::dir());
    assert!(get(&store, 1).is_some());
    println!("using");
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn what_another_process_uses_stays() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path());
        age(&put(&store, 1, 1000), 2);
        age(&put(&store, 2, 1000), 1);
    }
    let user = child::start("child_uses", dir.path(), "using");
    std::thread::sleep(Duration::from_millis(20));
    let store = open(dir.path());
    store.prune(0).unwrap();
    assert_eq!(files(&store, "segments-v1").len(), 1);
    child::kill(user);
    store.prune(0).unwrap();
    assert!(files(&store, "segments-v1").is_empty());
}

#[test]
fn the_store_is_private_and_survives_deletion() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a/b/store");
    let store = Store::open(&root, StoreLimits::default()).unwrap();
    assert_eq!(
        std::fs::metadata(&root).unwrap().permissions().mode() & 0o777,
        0o700
    );
    put(&store, 1, 10);
    std::fs::remove_dir_all(&root).unwrap();
    assert!(get(&store, 1).is_none());
    let error = store
        .once(Bucket::Layers, &KEY, |w: &mut Writer| w.append(b"x"))
        .unwrap_err();
    assert!(
        error.to_string().contains(root.to_str().unwrap()),
        "{error}"
    );
    let store = Store::open(&root, StoreLimits::default()).unwrap();
    put(&store, 1, 10);
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(Store::open(&file, StoreLimits::default()).is_err());
}
