//! The base images.

use super::lock::Wanted;
use super::recipe::{EMPTY, Recipe};
use super::{boot, certificates, init, kernel};

const fn amd64(name: &'static str) -> Wanted {
    Wanted {
        architecture: "amd64",
        name,
    }
}

/// Where interpreters and udhcpc expect busybox's applets.
const SHELL: (&str, &str) = ("bin/sh", "busybox");
const BUSYBOX: (&str, &str) = ("bin/busybox", "bin/busybox");

/// Every image, in no particular order: the layout sorts by reference.
pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "kernel",
        tag: "6.1",
        versioned_by: Some("linux-image-cloud-amd64"),
        packages: &[amd64("linux-image-cloud-amd64")],
        tools: &[
            amd64("kmod"),
            amd64("libc6"),
            amd64("liblzma5"),
            amd64("libssl3"),
            amd64("libzstd1"),
        ],
        make: Some(kernel::make),
        ..EMPTY
    },
    Recipe {
        name: "boot",
        tag: "1",
        aliases: &["builtin:boot"],
        packages: &[
            amd64("grub-pc-bin"),
            amd64("grub-common"),
            amd64("systemd-boot-efi"),
            Wanted {
                architecture: "arm64",
                name: "systemd-boot-efi",
            },
        ],
        tools: &[
            amd64("grub-common"),
            amd64("grub-pc-bin"),
            amd64("libc6"),
            amd64("libdevmapper1.02.1"),
            amd64("liblzma5"),
            amd64("libpcre2-8-0"),
            amd64("libselinux1"),
            amd64("libudev1"),
        ],
        take: &[
            ("usr/lib/grub/i386-pc/boot.img", "grub/boot.img"),
            (
                "usr/lib/grub/i386-pc/boot_hybrid.img",
                "grub/boot_hybrid.img",
            ),
            (
                "usr/lib/systemd/boot/efi/linuxx64.efi.stub",
                "efi/linuxx64.efi.stub",
            ),
            (
                "usr/lib/systemd/boot/efi/linuxaa64.efi.stub",
                "efi/linuxaa64.efi.stub",
            ),
        ],
        make: Some(boot::make),
        ..EMPTY
    },
    Recipe {
        name: "init",
        tag: env!("CARGO_PKG_VERSION"),
        aliases: &["builtin:init"],
        links: &[
            ("sbin/halt", "/init"),
            ("sbin/poweroff", "/init"),
            ("sbin/reboot", "/init"),
        ],
        make: Some(init::make),
        labels: &[("io.nodeimage.init", "1")],
        ..EMPTY
    },
    Recipe {
        name: "runc",
        tag: "1.1",
        versioned_by: Some("runc"),
        packages: &[amd64("runc"), amd64("libc6"), amd64("libseccomp2")],
        take: &[("usr/sbin/runc", "usr/bin/runc")],
        ..EMPTY
    },
    Recipe {
        name: "crun",
        tag: "1.8",
        versioned_by: Some("crun"),
        packages: &[
            amd64("crun"),
            amd64("libc6"),
            amd64("libcap2"),
            amd64("libgcrypt20"),
            amd64("libgpg-error0"),
            amd64("liblz4-1"),
            amd64("liblzma5"),
            amd64("libseccomp2"),
            amd64("libsystemd0"),
            amd64("libyajl2"),
            amd64("libzstd1"),
        ],
        take: &[("usr/bin/crun", "usr/bin/crun")],
        ..EMPTY
    },
    Recipe {
        name: "busybox",
        tag: "1.35",
        versioned_by: Some("busybox-static"),
        packages: &[amd64("busybox-static")],
        take: &[BUSYBOX],
        make: Some(init::busybox_links),
        command: &["/bin/sh"],
        ..EMPTY
    },
    Recipe {
        name: "sysctl",
        tag: "1.35",
        versioned_by: Some("busybox-static"),
        packages: &[amd64("busybox-static")],
        take: &[BUSYBOX],
        files: &[
            (
                "usr/bin/sysctl-all",
                0o755,
                include_str!("../../images/sysctl/sysctl-all"),
            ),
            (
                "etc/sysctl.d/00-nodeimage.conf",
                0o644,
                include_str!("../../images/sysctl/00-nodeimage.conf"),
            ),
        ],
        links: &[SHELL, ("sbin/sysctl", "../bin/busybox")],
        command: &["/usr/bin/sysctl-all"],
        linuxkit: Some(include_str!("../../images/sysctl/label.json")),
        ..EMPTY
    },
    Recipe {
        name: "dhcp",
        tag: "1.35",
        versioned_by: Some("busybox-static"),
        packages: &[amd64("busybox-static")],
        take: &[BUSYBOX],
        files: &[
            (
                "usr/bin/dhcp",
                0o755,
                include_str!("../../images/dhcp/dhcp"),
            ),
            (
                "usr/share/udhcpc/default.script",
                0o755,
                include_str!("../../images/dhcp/default.script"),
            ),
        ],
        folders: &[("run", 0o755)],
        links: &[
            SHELL,
            ("bin/cat", "busybox"),
            ("bin/grep", "busybox"),
            ("bin/ip", "busybox"),
            ("bin/mkdir", "busybox"),
            ("bin/mv", "busybox"),
            ("bin/rm", "busybox"),
            ("bin/sleep", "busybox"),
            ("sbin/udhcpc", "../bin/busybox"),
        ],
        command: &["/usr/bin/dhcp", "once"],
        linuxkit: Some(include_str!("../../images/dhcp/label.json")),
        ..EMPTY
    },
    Recipe {
        name: "nginx",
        tag: "1.22",
        versioned_by: Some("nginx"),
        packages: &[
            amd64("nginx"),
            amd64("nginx-common"),
            amd64("libc6"),
            amd64("libcrypt1"),
            amd64("libpcre2-8-0"),
            amd64("libssl3"),
            amd64("zlib1g"),
        ],
        take: &[
            ("usr/sbin/nginx", "usr/sbin/nginx"),
            ("etc/nginx/mime.types", "etc/nginx/mime.types"),
        ],
        files: &[
            (
                "etc/nginx/nginx.conf",
                0o644,
                include_str!("../../images/nginx/nginx.conf"),
            ),
            (
                "etc/passwd",
                0o644,
                include_str!("../../images/nginx/passwd"),
            ),
            ("etc/group", 0o644, include_str!("../../images/nginx/group")),
            (
                "usr/share/nginx/html/index.html",
                0o644,
                include_str!("../../images/nginx/index.html"),
            ),
        ],
        folders: &[
            ("etc/nginx/conf.d", 0o755),
            ("run", 0o755),
            ("tmp", 0o1777),
            ("var/lib/nginx", 0o755),
            ("var/log/nginx", 0o755),
        ],
        command: &["/usr/sbin/nginx", "-e", "stderr"],
        linuxkit: Some(include_str!("../../images/nginx/label.json")),
        ..EMPTY
    },
    Recipe {
        name: "sshd",
        tag: "2022.83",
        versioned_by: Some("dropbear-bin"),
        packages: &[
            amd64("dropbear-bin"),
            amd64("busybox-static"),
            amd64("libc6"),
            amd64("libcrypt1"),
            amd64("libgmp10"),
            amd64("libtomcrypt1"),
            amd64("libtommath1"),
            amd64("zlib1g"),
        ],
        take: &[("usr/sbin/dropbear", "usr/sbin/dropbear"), BUSYBOX],
        files: &[
            (
                "etc/passwd",
                0o644,
                include_str!("../../images/sshd/passwd"),
            ),
            ("etc/group", 0o644, include_str!("../../images/sshd/group")),
            ("etc/shells", 0o644, "/bin/sh\n"),
        ],
        folders: &[
            ("etc/dropbear", 0o700),
            ("root/.ssh", 0o700),
            ("run", 0o755),
            ("tmp", 0o1777),
            ("var", 0o755),
        ],
        make: Some(init::busybox_links),
        command: &["/usr/sbin/dropbear", "-F", "-E", "-R", "-s"],
        linuxkit: Some(include_str!("../../images/sshd/label.json")),
        ..EMPTY
    },
    Recipe {
        name: "ca-certificates",
        tag: "20250419",
        versioned_by: Some("ca-certificates"),
        packages: &[amd64("ca-certificates")],
        links: &[("etc/ssl/cert.pem", "certs/ca-certificates.crt")],
        make: Some(certificates::make),
        ..EMPTY
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_images_share_a_reference() {
        let all: Vec<String> = RECIPES.iter().flat_map(Recipe::references).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(
            all.contains(&"builtin:boot".to_owned()) && all.contains(&"builtin:init".to_owned())
        );
    }

    #[test]
    fn labels_are_json_objects_that_linuxkit_accepts() {
        let known = [
            "binds",
            "capabilities",
            "command",
            "ipc",
            "net",
            "pid",
            "readonly",
            "runtime",
        ];
        for recipe in RECIPES {
            let Some(label) = recipe.linuxkit else {
                continue;
            };
            let value: serde_json::Value = serde_json::from_str(label).unwrap();
            for key in value.as_object().unwrap().keys() {
                assert!(known.contains(&key.as_str()), "{}: {key}", recipe.name);
            }
        }
    }
}
