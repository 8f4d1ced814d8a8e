//! What differs from LinuxKit on purpose.

/// Its initrd has a symbolic link where its own tar has a hard link, and a file that a later image
/// replaces is then replaced under all its names, which its tar keeps apart. Our initrd has the hard
/// links of the tar. As many names differ in this way.
pub(crate) const HARD_LINKS: usize = 41;

const CASE: &str = "its YAML decoder loses members whose names are not all lower case";
const MERGED_USR: &str = "an image has /lib as a link to usr/lib, and the kernel's tar a directory: \
                          unpacked one over the other, the link or the modules are lost";
const LATER_FILE: &str = "an optional source that is not there leaves no entry in the locked spec, \
                          and those behind it count from it; only --input-tar reads this";
const NO_PARENT: &str = "a kernel does not unpack a file without its directory: it is made";
const OPAQUE: &str = "an opaque directory hides what the layers below have in it, as in every \
                      container runtime";
const ROOT: &str = "the root of a running machine keeps its own mode and owner, whatever the first \
                    entry of an image's layer says of its";
const CMDLINE: &str = "the command line is the spec's, wherever it is used, without spaces at its \
                       ends, and nothing that an image or `files` has at boot/cmdline";
const BOOT: &str = "a tar's own entry for boot counts in the initrd as it does in the tar";
const AT: &str = "a value that begins with @ is one, if it is not @pkg:";
const VOLUME_MOUNT: &str = "it checks the name of a volume in `mounts` and then mounts nothing";

const MAPPINGS: &str = "containers/services/mappings/config.json";
const CAMEL: &str = "containers/services/camel/config.json";
const MOUNTER: &str = "containers/services/mounter/config.json";

/// Fixture (with ` initrd` what differs there alone), path, what LinuxKit has > what we have, why.
#[rustfmt::skip]
pub(crate) const DEVIATIONS: &[(&str, &str, &str, &str)] = &[
    ("files", "no-directory", r#"origin Some(("files[19]", "linuxkit.files")) > Some(("files[18]", "linuxkit.files"))"#, LATER_FILE),
    ("files-over initrd", ".", "dir > nothing", ROOT),
    ("files-over initrd", "cmdline", "digest", CMDLINE),
    ("image-linux", MAPPINGS, "/linux/gidMappings/0/containerID 0 > 2", CASE),
    ("image-linux", MAPPINGS, "/linux/gidMappings/0/hostID 0 > 2000", CASE),
    ("image-linux", MAPPINGS, "/linux/uidMappings/0/containerID 0 > 1", CASE),
    ("image-linux", MAPPINGS, "/linux/uidMappings/0/hostID 0 > 1000", CASE),
    ("image-resources", CAMEL, "/linux/resources/blockIO/leafWeight nothing > 1", CASE),
    ("image-resources", CAMEL, r#"/linux/resources/blockIO/throttleReadBpsDevice nothing > [{"major":8,"minor":0,"rate":1}]"#, CASE),
    ("image-resources", CAMEL, r#"/linux/resources/blockIO/throttleReadIOPSDevice nothing > [{"major":8,"minor":0,"rate":3}]"#, CASE),
    ("image-resources", CAMEL, r#"/linux/resources/blockIO/throttleWriteBpsDevice nothing > [{"major":8,"minor":0,"rate":2}]"#, CASE),
    ("image-resources", CAMEL, r#"/linux/resources/blockIO/throttleWriteIOPSDevice nothing > [{"major":8,"minor":0,"rate":4}]"#, CASE),
    ("image-resources", CAMEL, r#"/linux/resources/blockIO/weightDevice nothing > [{"leafWeight":2,"major":8,"minor":0,"weight":1}]"#, CASE),
    ("image-resources", CAMEL, "/linux/resources/cpu/realtimePeriod nothing > 2", CASE),
    ("image-resources", CAMEL, "/linux/resources/cpu/realtimeRuntime nothing > 1", CASE),
    ("image-resources", CAMEL, r#"/linux/resources/hugepageLimits nothing > [{"limit":4194304,"pageSize":"2MB"}]"#, CASE),
    ("image-resources", CAMEL, "/linux/resources/memory/disableOOMKiller nothing > true", CASE),
    ("image-resources", CAMEL, "/linux/resources/memory/kernelTCP nothing > 1", CASE),
    ("image-resources", CAMEL, "/linux/resources/network/classID nothing > 7", CASE),
    ("init initrd", ".", "dir > nothing", ROOT),
    ("init-reversed initrd", ".", "dir > nothing", ROOT),
    ("kernel initrd", ".", "dir > nothing", ROOT),
    ("kernel initrd", "cmdline", "digest", CMDLINE),
    ("kernel-deep initrd", "boot", "mode 0755 > 0700", BOOT),
    ("kernel-deep initrd", "boot", "mtime 1492533000 > 1577836800", BOOT),
    ("kernel-deep initrd", "cmdline", "digest", CMDLINE),
    ("merge initrd", ".", "dir > nothing", ROOT),
    ("merged-usr", "lib/modules", "dir > nothing", MERGED_USR),
    ("merged-usr", "lib/modules/a.ko", "file > nothing", MERGED_USR),
    ("merged-usr", "lib/modules/b.ko", "hardlink > nothing", MERGED_USR),
    ("merged-usr", "lib/modules/build", "symlink > nothing", MERGED_USR),
    ("merged-usr", "usr/lib/modules", "nothing > dir", MERGED_USR),
    ("merged-usr", "usr/lib/modules/a.ko", "nothing > file", MERGED_USR),
    ("merged-usr", "usr/lib/modules/b.ko", "nothing > hardlink", MERGED_USR),
    ("merged-usr", "usr/lib/modules/build", "nothing > symlink", MERGED_USR),
    ("old initrd", ".", "dir > nothing", ROOT),
    ("opaque", "data/old", "file > nothing", OPAQUE),
    ("orphan", "no", "nothing > dir", NO_PARENT),
    ("orphan", "no/directory", "nothing > dir", NO_PARENT),
    ("template", "at", "data 0:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 > 7:65d50f55681186cdef03d19c86eb9947e263831435fc15e12af627ea2d1f586b", AT),
    ("template", "boot/cmdline", "data 0:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 > 8:8d08e84f97bedccafb380c990caf6416fde4df6b6ecdd4f0ac1a870a65958920", AT),
    ("volumes", MOUNTER, r#"/mounts/0/source "blank" > "/containers/volumes/blank/merged""#, VOLUME_MOUNT),
    ("volumes", MOUNTER, r#"/mounts/3/source "fixed" > "/containers/volumes/fixed/merged""#, VOLUME_MOUNT),
];

/// Fixtures that LinuxKit refuses, and words of our refusal; none when we build them, which is so
/// for one: a volume of an earlier file is known to a later one.
pub(crate) const REFUSALS: &[(&str, Option<&str>)] = &[
    ("bad-bind", Some("/a")),
    ("bad-capability", Some("CAP_NOPE")),
    ("bad-device", Some("/dev/x")),
    ("bad-file", Some("contents")),
    ("bad-file-both", Some("source")),
    ("bad-file-directory", Some("directory")),
    ("bad-file-metadata", Some("toml")),
    ("bad-file-mode", Some("0999")),
    ("bad-file-path", Some("path")),
    ("bad-file-source", Some("sources/not-there")),
    ("bad-id", Some("nobody")),
    ("bad-image", Some("fixture.example/not-there:1")),
    ("bad-kernel", Some("did not find kernel in kernel image")),
    (
        "bad-kernel-tar",
        Some("did not find kernel tar in kernel image"),
    ),
    ("bad-label", Some("nosuchkey")),
    ("bad-mount-destination", Some("ext4")),
    ("bad-mount-type", Some("/x")),
    ("bad-platform", Some("linux/arm64")),
    ("bad-rlimit", Some("-1")),
    ("bad-rlimit-name", Some("nope")),
    ("bad-tmpfs", Some("/a:b:c")),
    ("bad-volume", Some("nope")),
    ("bad-volume-mount", Some("fixed")),
    ("bad-volume-oci", Some("format oci needs an image index")),
    ("bad-volume-platform", Some("linux/riscv64")),
    ("bad-volume-readonly", Some("fixed")),
    ("merge-volume", None),
];
