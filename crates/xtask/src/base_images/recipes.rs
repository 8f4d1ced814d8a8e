//! The base images.

use super::architecture::Architecture;
use super::lock::Wanted;
use super::recipe::{EMPTY, Part, Recipe};
use super::selection::Group;
use super::{boot, certificates, init, kernel};

/// For tools: they run on this machine.
const fn amd64(name: &'static str) -> Wanted {
    Wanted {
        architecture: Architecture::Amd64,
        name,
    }
}

/// A package of the image's own architecture.
const fn own(name: &'static str) -> Part {
    Part::Own(name)
}

/// A package for another machine than the image's, maybe.
const fn fixed(architecture: Architecture, name: &'static str) -> Part {
    Part::Fixed(Wanted { architecture, name })
}

/// The Linux that Debian builds for machines in clouds.
const KERNEL: Part = Part::Either {
    amd64: "linux-image-cloud-amd64",
    arm64: "linux-image-cloud-arm64",
};

const CERTIFICATES: Part = fixed(Architecture::Amd64, "ca-certificates");

/// Where interpreters and udhcpc expect busybox's applets.
const SHELL: (&str, &str) = ("bin/sh", "busybox");
const BUSYBOX: (&str, &str) = ("bin/busybox", "bin/busybox");

/// What test-init runs containers by.
const SERVICE: &str = "/usr/bin/service";

/// Every image, in no particular order: the layout sorts by reference.
pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "kernel",
        tag: "6.1",
        versioned_by: Some(KERNEL),
        packages: &[KERNEL],
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
        group: Group::Release,
        neutral: true,
        name: "boot",
        tag: "1",
        aliases: &["builtin:boot"],
        packages: &[
            fixed(Architecture::Amd64, "grub-pc-bin"),
            fixed(Architecture::Amd64, "grub-common"),
            fixed(Architecture::Amd64, "systemd-boot-efi"),
            fixed(Architecture::Arm64, "systemd-boot-efi"),
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
        group: Group::Release,
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
        versioned_by: Some(own("runc")),
        packages: &[own("runc"), own("libc6"), own("libseccomp2")],
        take: &[("usr/sbin/runc", "usr/bin/runc")],
        ..EMPTY
    },
    Recipe {
        name: "crun",
        tag: "1.8",
        versioned_by: Some(own("crun")),
        packages: &[
            own("crun"),
            own("libc6"),
            own("libcap2"),
            own("libgcrypt20"),
            own("libgpg-error0"),
            own("liblz4-1"),
            own("liblzma5"),
            own("libseccomp2"),
            own("libsystemd0"),
            own("libyajl2"),
            own("libzstd1"),
        ],
        take: &[("usr/bin/crun", "usr/bin/crun")],
        ..EMPTY
    },
    Recipe {
        name: "busybox",
        tag: "1.35",
        versioned_by: Some(own("busybox-static")),
        packages: &[own("busybox-static")],
        take: &[BUSYBOX],
        tools: &[amd64("busybox-static")],
        make: Some(init::busybox_links),
        command: &["/bin/sh"],
        ..EMPTY
    },
    Recipe {
        name: "sysctl",
        tag: "1.35",
        versioned_by: Some(own("busybox-static")),
        packages: &[own("busybox-static")],
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
        versioned_by: Some(own("busybox-static")),
        packages: &[own("busybox-static")],
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
        versioned_by: Some(own("nginx")),
        packages: &[
            own("nginx"),
            own("nginx-common"),
            own("libc6"),
            own("libcrypt1"),
            own("libpcre2-8-0"),
            own("libssl3"),
            own("zlib1g"),
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
        versioned_by: Some(own("dropbear-bin")),
        packages: &[
            own("dropbear-bin"),
            own("busybox-static"),
            own("libc6"),
            own("libcrypt1"),
            own("libgmp10"),
            own("libtomcrypt1"),
            own("libtommath1"),
            own("zlib1g"),
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
        tools: &[amd64("busybox-static")],
        make: Some(init::busybox_links),
        command: &["/usr/sbin/dropbear", "-F", "-E", "-R", "-s"],
        linuxkit: Some(include_str!("../../images/sshd/label.json")),
        ..EMPTY
    },
    Recipe {
        neutral: true,
        name: "ca-certificates",
        tag: "20250419",
        versioned_by: Some(CERTIFICATES),
        packages: &[CERTIFICATES],
        links: &[("etc/ssl/cert.pem", "certs/ca-certificates.crt")],
        make: Some(certificates::make),
        ..EMPTY
    },
    // LinuxKit's boot contract kept by others than our init: busybox's init,
    // scripts in /etc/init.d, and a `service` program for containers.
    Recipe {
        group: Group::Tests,
        name: "test-init",
        tag: "1",
        packages: &[
            own("busybox-static"),
            own("jq"),
            own("libc6"),
            own("libjq1"),
            own("libonig5"),
        ],
        tools: &[amd64("busybox-static")],
        take: &[BUSYBOX, ("usr/bin/jq", "usr/bin/jq")],
        files: &[
            ("init", 0o755, include_str!("../../images/test-init/init")),
            (
                "etc/inittab",
                0o644,
                include_str!("../../images/test-init/inittab"),
            ),
            (
                "bin/rc.init",
                0o755,
                include_str!("../../images/test-init/rc.init"),
            ),
            (
                "bin/rc.shutdown",
                0o755,
                include_str!("../../images/test-init/rc.shutdown"),
            ),
            (
                "usr/bin/service",
                0o755,
                include_str!("../../images/test-init/service"),
            ),
        ],
        folders: &[
            ("dev", 0o755),
            ("proc", 0o755),
            ("run", 0o755),
            ("sys", 0o755),
            ("tmp", 0o1777),
            ("var", 0o755),
        ],
        links: &[
            ("etc/init.d/005-volumes", SERVICE),
            ("etc/init.d/010-onboot", SERVICE),
            ("etc/shutdown.d/010-onshutdown", SERVICE),
        ],
        make: Some(init::busybox_links),
        ..EMPTY
    },
    Recipe {
        group: Group::Tests,
        name: "test-containerd",
        tag: "1.6",
        versioned_by: Some(own("containerd")),
        packages: &[own("containerd"), own("libc6")],
        take: &[
            ("usr/bin/containerd", "usr/bin/containerd"),
            (
                "usr/bin/containerd-shim-runc-v2",
                "usr/bin/containerd-shim-runc-v2",
            ),
            ("usr/bin/ctr", "usr/bin/ctr"),
        ],
        files: &[(
            "etc/containerd/config.toml",
            0o644,
            include_str!("../../images/test-containerd/config.toml"),
        )],
        links: &[("etc/init.d/020-containerd", SERVICE)],
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
    fn a_neutral_image_is_made_of_the_same_packages_for_every_machine() {
        for recipe in RECIPES.iter().filter(|recipe| recipe.neutral) {
            let [amd64, arm64] = Architecture::ALL.map(|one| recipe.wanted(one));
            assert_eq!(amd64, arm64, "{}", recipe.name);
        }
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
