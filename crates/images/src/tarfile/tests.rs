//! Archives of other writers: GNU tar and the `tar` crate.

use std::io::Write;
use std::process::Command;

use proptest::prelude::*;

use super::*;

fn scan(bytes: &[u8]) -> Result<Vec<Entry>, TarError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let mut scanner = Scanner::new(RangeInput::new(&file, 0, bytes.len() as u64));
    let mut entries = Vec::new();
    while let Some(entry) = scanner.next()? {
        entries.push(entry);
    }
    Ok(entries)
}

#[test]
fn gnu_tar_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
    std::fs::create_dir(dir.path().join("d".repeat(90))).unwrap();
    std::fs::write(dir.path().join(&long), "long").unwrap();
    std::fs::write(dir.path().join("a"), vec![b'a'; 1000]).unwrap();
    std::fs::hard_link(dir.path().join("a"), dir.path().join("b")).unwrap();
    std::os::unix::fs::symlink("../a", dir.path().join("c")).unwrap();
    for format in ["gnu", "oldgnu", "pax", "ustar", "v7"] {
        let short = format == "v7";
        let mut command = Command::new("tar");
        command
            .args(["--format", format, "--sort=name", "--mtime=@-5", "-C"])
            .arg(dir.path());
        command.args(["--owner=3", "--group=4", "--mode=u=rw,go=r", "-cf", "-"]);
        if format == "ustar" || short {
            command.arg("--mtime=@7");
        }
        command
            .args(["a", "b", "c"])
            .args((!short).then_some(&long));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let entries = scan(&output.stdout).unwrap();
        assert_eq!(entries.len(), if short { 3 } else { 4 }, "{format}");
        let EntryKind::File { offset, len: 1000 } = entries[0].kind else {
            panic!("{format}")
        };
        assert!(
            output.stdout[offset as usize..][..1000]
                .iter()
                .all(|byte| *byte == b'a')
        );
        assert_eq!(entries[1].kind, EntryKind::HardLink(b"a".to_vec()));
        assert_eq!(entries[2].kind, EntryKind::Symlink(b"../a".to_vec()));
        assert_eq!(
            (entries[0].uid, entries[0].gid, entries[0].mode),
            (3, 4, 0o644)
        );
        let mtime = if format == "ustar" || short { 7 } else { -5 };
        assert_eq!(entries[0].mtime, mtime, "{format}");
        if !short {
            assert_eq!(entries[3].path, long.as_bytes());
        }
    }
    let sparse = dir.path().join("sparse");
    std::fs::File::create(&sparse)
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    for format in ["gnu", "pax"] {
        let mut command = Command::new("tar");
        command
            .args(["--sparse", "--format", format, "-C"])
            .arg(dir.path());
        let output = command.args(["-cf", "-", "sparse"]).output().unwrap();
        assert!(
            scan(&output.stdout)
                .unwrap_err()
                .to_string()
                .contains("sparse"),
            "{format}"
        );
    }
}

#[test]
fn global_headers_and_missing_ends_are_taken() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::XGlobalHeader);
    let body = b"20 comment=abcdefgh\n";
    header.set_size(body.len() as u64);
    builder
        .append_data(&mut header, "pax_global_header", &body[..])
        .unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    builder.append_data(&mut header, "f", &b"abc"[..]).unwrap();
    let mut bytes = builder.into_inner().unwrap();
    assert_eq!(scan(&bytes).unwrap().len(), 1);
    bytes.truncate(bytes.len() - 1024);
    assert_eq!(scan(&bytes).unwrap().len(), 1);
    assert!(scan(&[]).unwrap().is_empty());
    bytes.truncate(bytes.len() - 1);
    assert!(matches!(scan(&bytes), Err(TarError::Truncated)));
}

proptest! {
    #[test]
    fn no_bytes_panic(
        blocks in proptest::collection::vec((0..20_usize, any::<[u8; 24]>(), 0..490_usize), 0..6),
    ) {
        // Valid headers with a few bytes overwritten and the checksum made right again.
        const FLAGS: &[u8] = b"\x000123456712xgLKSZ5000";
        let mut bytes = Vec::new();
        for (flag, noise, at) in blocks {
            let mut header = tar::Header::new_gnu();
            header.set_size(0);
            header.set_mode(0o644);
            header.as_mut_bytes()[156] = FLAGS[flag];
            header.as_mut_bytes()[at..at + noise.len().min(512 - at)]
                .copy_from_slice(&noise[..noise.len().min(512 - at)]);
            header.set_cksum();
            bytes.extend_from_slice(header.as_bytes());
        }
        if let Ok(entries) = scan(&bytes) {
            for entry in entries {
                prop_assert!(!entry.path.starts_with(b"/") && !entry.path.contains(&0));
            }
        }
    }
}
