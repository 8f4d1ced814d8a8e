//! Machines that boot from the images, loaded by QEMU itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use acceptance_tests::machine::{Boot, Direct, Firmware, Machine};
use xtask::setup::{self, Need};

use crate::layout::{self, Node, Tree, file};
use crate::{initrd, shared, tree};

/// The modules that `names` need, with the indices that modprobe reads.
fn modules(all: &Tree, names: &[&str]) -> Tree {
    let release = all.keys().nth(2).unwrap();
    let dep = String::from_utf8_lossy(file(all, &format!("{release}/modules.dep"))).into_owned();
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    for line in dep.lines() {
        let (module, needs) = line.split_once(':').unwrap();
        if names
            .iter()
            .any(|name| module.ends_with(&format!("/{name}.ko")))
        {
            wanted.insert(module.to_owned());
            wanted.extend(needs.split_whitespace().map(str::to_owned));
        }
    }
    all.iter()
        .filter(|(path, (_, node))| {
            let inside = path
                .strip_prefix(&format!("{release}/"))
                .unwrap_or_default();
            *node == Node::Folder || inside.starts_with("modules.") || wanted.contains(inside)
        })
        .map(|(path, node)| (path.clone(), node.clone()))
        .collect()
}

const SCRIPT: &str = r#"#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec </dev/null >/dev/ttyS0 2>&1
modprobe -a virtio_pci virtio_net && echo "test: modules are loaded"
mkdir -p /run/resolvconf
for image in dhcp nginx sshd runc crun sysctl; do
    mkdir -p /i/$image/proc /i/$image/sys /i/$image/dev
    mount --bind /proc /i/$image/proc
    mount --bind /sys /i/$image/sys
    mount --bind /dev /i/$image/dev
done
mkdir -p /i/dhcp/etc
chroot /i/dhcp /usr/bin/dhcp once && echo "test: dhcp has exited well"
cat /i/dhcp/etc/resolv.conf
chroot /i/sysctl /usr/bin/sysctl-all >/dev/null && echo "test: sysctl has exited well"
chroot /i/runc /usr/bin/runc --version
chroot /i/crun /usr/bin/crun --version
chroot /i/sshd /usr/sbin/dropbear -F -E -R -s &
chroot /i/nginx /usr/sbin/nginx -e stderr 2>/nginx.log &
while ! grep -q "GET /off " /nginx.log; do sleep 0.5; done
echo "test: seen on the web"
poweroff -f
"#;

fn direct(folder: &Path, kernel: &[u8], initrd: &[u8]) -> Direct {
    let direct = Direct {
        kernel: folder.join("kernel"),
        initrd: folder.join("initrd"),
        append: "console=ttyS0 panic=-1".to_owned(),
    };
    std::fs::write(&direct.kernel, kernel).unwrap();
    std::fs::write(&direct.initrd, initrd).unwrap();
    direct
}

#[test]
fn a_machine_boots_from_the_images_and_serves_a_page() {
    setup::ensure(&[Need::Qemu]).unwrap();
    let made = shared();
    let kernel = tree(&made.layout, "kernel:6.1");
    let all = layout::untar(file(&kernel, "kernel.tar"));
    let mut cpio = Vec::new();
    initrd::add(&mut cpio, "", &tree(&made.layout, "busybox:1.35"));
    initrd::add(&mut cpio, "", &modules(&all, &["virtio_pci", "virtio_net"]));
    for folder in ["proc", "sys", "dev", "run", "i"] {
        initrd::entry(&mut cpio, folder, 0o40755, b"");
    }
    for (name, tag) in [
        ("dhcp", "1.35"),
        ("nginx", "1.22"),
        ("sshd", "2022.83"),
        ("runc", "1.1"),
        ("crun", "1.8"),
        ("sysctl", "1.35"),
    ] {
        let tree = tree(&made.layout, &format!("{name}:{tag}"));
        initrd::add(&mut cpio, &format!("i/{name}/"), &tree);
    }
    initrd::entry(&mut cpio, "init", 0o100_755, SCRIPT.as_bytes());
    initrd::end(&mut cpio);
    let folder = tempfile::tempdir().unwrap();
    let direct = direct(folder.path(), file(&kernel, "kernel"), &cpio);
    let mut machine = Machine::boot(&Boot {
        direct: Some(direct),
        forward: vec![80, 22],
        ..Boot::default()
    })
    .unwrap();
    let minutes = Duration::from_secs(240);
    for text in [
        "test: modules are loaded",
        "dhcp: eth0 has 10.0.2.15/24",
        "test: dhcp has exited well",
        "nameserver 10.0.2.3",
        "test: sysctl has exited well",
        "runc version 1.1",
        "crun version 1.8",
    ] {
        machine.wait_for(text, minutes).unwrap();
    }
    let page = machine.http_get(80, "/", minutes).unwrap();
    assert_eq!(page.status, 200);
    assert!(page.body.contains("nodeimage"), "{}", page.body);
    let banner = ssh_banner(machine.port(22).unwrap());
    assert!(banner.starts_with("SSH-2.0-dropbear"), "{banner}");
    assert_eq!(machine.http_get(80, "/off", minutes).unwrap().status, 404);
    machine.wait_for("test: seen on the web", minutes).unwrap();
    machine.wait_for_end(minutes).unwrap();
    assert!(machine.cpu_time().unwrap() > Duration::from_secs(1));
    assert!(!machine.console_has("never on the console"));
}

/// What the server says first.
fn ssh_banner(port: u16) -> String {
    use std::io::{BufRead, BufReader};
    let end = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let mut line = String::new();
        if let Ok(stream) = std::net::TcpStream::connect(("127.0.0.1", port)) {
            let _ = BufReader::new(stream).read_line(&mut line);
        }
        if !line.is_empty() || std::time::Instant::now() > end {
            return line;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn a_boot_that_cannot_succeed_fails_at_once_with_the_consoles_tail() {
    setup::ensure(&[Need::Qemu]).unwrap();
    let made = shared();
    let folder = tempfile::tempdir().unwrap();
    let kernel = tree(&made.layout, "kernel:6.1");
    let broken = b"\x28\xb5\x2f\xfd no zstd at all";
    let direct = direct(folder.path(), file(&kernel, "kernel"), broken);
    let machine = Machine::boot(&Boot {
        direct: Some(direct),
        ..Boot::default()
    })
    .unwrap();
    let start = std::time::Instant::now();
    let error = machine
        .wait_for("never", Duration::from_secs(280))
        .unwrap_err()
        .to_string();
    assert!(start.elapsed() < Duration::from_secs(250));
    assert!(
        error.contains("Kernel panic") || error.contains("unpacking failed"),
        "{error}"
    );
    assert!(
        error.contains("PCI"),
        "the console's tail is there: {error}"
    );
}

#[test]
fn uefi_that_finds_nothing_to_boot_fails_at_once() {
    setup::ensure(&[Need::Qemu, Need::Ovmf]).unwrap();
    let disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(1 << 20).unwrap();
    let machine = Machine::boot(&Boot::raw_disk(disk.path(), Firmware::Ovmf)).unwrap();
    let error = machine
        .wait_for("never", Duration::from_secs(280))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("\"Shell>\" came up"), "{error}");
}
