//! Another init than ours, which keeps LinuxKit's boot contract: busybox's init with scripts in
//! /etc/init.d, containers run by runc and containerd from the bundles that the builder made.

use std::time::Duration;

use acceptance_tests::cli::{Sandbox, base_images, sources};
use acceptance_tests::machine::{Boot, Firmware, Machine};
use anyhow::{Result, ensure};

type Test = Result<()>;

const BOOT: Duration = Duration::from_secs(280);
const SOON: Duration = Duration::from_secs(60);

/// What it shows: an onboot container with a lease for the machine, one that reads the namespace it
/// was given, two services side by side, a volume, and a container at the end.
const YAML: &str = r#"
kernel:
  image: ghcr.io/nodeimage/kernel:6.1
  cmdline: "console=ttyS0"
init:
  - ghcr.io/nodeimage/test-init:1
  - ghcr.io/nodeimage/runc:1.1
  - ghcr.io/nodeimage/test-containerd:1.6
volumes:
  - name: shared
onboot:
  - name: dhcp
    image: ghcr.io/nodeimage/dhcp:1.35
  - name: writer
    image: ghcr.io/nodeimage/busybox:1.35
    command: ["/bin/sh", "-c", "echo written by onboot > /shared/page; echo the volume is written"]
    binds: ["shared:/shared"]
    uts: new
    hostname: inside
    runtime:
      mkdir: ["/run/made"]
      bindNS: {uts: /run/kept-uts}
services:
  - name: nginx
    image: ghcr.io/nodeimage/nginx:1.22
  - name: web
    image: ghcr.io/nodeimage/busybox:1.35
    command: ["/bin/busybox", "httpd", "-f", "-p", "81", "-h", "/www"]
    net: host
    pid: host
    capabilities: [CAP_KILL, CAP_NET_BIND_SERVICE, CAP_SYS_ADMIN]
    binds:
      - /srv/web:/www:ro
      - shared:/www-shared
      - /run:/run:ro
onshutdown:
  - name: goodbye
    image: ghcr.io/nodeimage/busybox:1.35
    command: ["/bin/echo", "goodbye from onshutdown"]
files:
  - path: srv/web/cgi-bin/shared
    contents: |
      #!/bin/sh
      printf 'Content-Type: text/plain\r\n\r\n'
      cat /www-shared/page
      [ -d /run/made ] && echo the folder is made
      nsenter --uts=/run/kept-uts hostname
    mode: "0755"
  - path: srv/web/cgi-bin/off
    contents: |
      #!/bin/sh
      printf 'Content-Type: text/plain\r\n\r\nbye\n'
      kill -USR2 1
    mode: "0755"
"#;

#[test]
fn a_foreign_init_reaches_its_services_and_ends_in_order() -> Test {
    let sandbox = Sandbox::new()?;
    sandbox.write("node.yml", YAML)?;
    let images = format!("oci:{}", base_images()?.display());
    sandbox.write("nodeimage.toml", sources(&images))?;
    sandbox.build("out")?;
    let boot = Boot {
        forward: vec![80, 81],
        memory_mib: 1536,
        ..Boot::raw_disk(sandbox.path("out/node.img"), Firmware::SeaBios)
    };
    let mut machine = Machine::boot_until(&boot, "test-init: onboot 000-dhcp has ended", BOOT)?;
    for text in [
        "dhcp: eth0 has 10.0.2.15/24",
        "test-init: onboot 001-writer has ended",
        "the volume is written",
        "test-init: containerd answers",
        "test-init: service nginx is started",
        "test-init: service web is started",
        "test-init: boot is done",
    ] {
        machine.wait_for(text, BOOT)?;
    }
    ensure!(!machine.console_has("cannot be started"));
    ensure!(!machine.console_has("nodeimage: image"), "our own init ran");

    let page = machine.http_get(80, "/", SOON)?;
    ensure!(
        page.status == 200 && page.body.contains("nodeimage"),
        "{page:?}"
    );
    let shared = machine.http_get(81, "/cgi-bin/shared", SOON)?;
    ensure!(
        shared.body == "written by onboot\nthe folder is made\ninside\n",
        "{shared:?}"
    );

    ensure!(!machine.console_has("goodbye from onshutdown"));
    ensure!(machine.http_get(81, "/cgi-bin/off", SOON)?.body == "bye\n");
    machine.wait_for("goodbye from onshutdown", SOON)?;
    machine.wait_for("test-init: done", SOON)?;
    machine.wait_for_end(SOON)
}
