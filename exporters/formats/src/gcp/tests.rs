//! Judged by tar and gzip.

use std::process::Command;

use super::tar;
use crate::tests::sample::{disk, write};
use crate::{Format, OpenOptions, open};

fn run(program: &str, words: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(words).env("TZ", "UTC").env("LC_ALL", "C");
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {words:?}: {said}");
    assert!(said.is_empty(), "{program} {words:?}: {said}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn tar_and_gzip_take_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, raw) = (folder.path().join("x.tar.gz"), folder.path().join("raw"));
    let pieces = [
        ('p', 100, 300_000),
        ('n', 9 << 20, 2 << 20),
        ('n', (1 << 30) - 7, 7),
    ];
    let disk = disk(1 << 30, &pieces);
    write(&disk, Format::parse("raw").unwrap(), &raw, 1).unwrap();
    let name = path.to_str().unwrap();
    for format in ["gcp:2", "gcp"] {
        write(&disk, Format::parse(format).unwrap(), &path, 2).unwrap();
        run("gzip", &["-t", name]);
        let listed = run("tar", &["-tvzf", name]);
        let wanted = "-rw-r--r-- root/root 1073741824 1970-01-01 00:00 disk.raw\n";
        assert_eq!(listed, wanted);
        let script = "tar -xOzf \"$0\" disk.raw | cmp - \"$1\"";
        run("sh", &["-c", script, name, raw.to_str().unwrap()]);
    }
    // 1 GiB of zeros takes a MiB.
    assert!(std::fs::metadata(&path).unwrap().len() < 4 << 20);
}

#[test]
fn large_sizes_fit_the_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.tar");
    for size in [7_u64 << 30, 8 << 30, 9 << 40] {
        let file = std::fs::File::create(&path).unwrap();
        std::fs::write(&path, tar::header(size)).unwrap();
        let len = 512 + size + tar::padding(size);
        assert!(len.is_multiple_of(10240));
        file.set_len(len).unwrap();
        let listed = run("tar", &["-tvf", path.to_str().unwrap()]);
        assert!(listed.contains(&format!(" {size} ")), "{listed}");
    }
}

#[test]
fn other_sizes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let gcp = Format::parse("gcp").unwrap();
    for (size, least) in [(512, "1 GiB"), ((3 << 30) + 512, "4 GiB")] {
        let error = write(&disk(size, &[]), gcp, &path, 1).unwrap_err();
        assert!(error.to_string().contains(least), "{error}");
        assert!(!path.exists());
    }
    std::fs::write(&path, b"x").unwrap();
    let options = OpenOptions {
        format: Some("gcp".to_owned()),
        ..OpenOptions::default()
    };
    let error = open(&path, &options).unwrap_err().to_string();
    assert!(error.contains("can't be read"), "{error}");
}
