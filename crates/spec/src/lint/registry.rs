//! All lints.

use super::{Context, Group, Lint, Reads};
use super::{bind, container, file, identity, pins, secrets, system};
use crate::fault::{Fault, Severity};

const WARNING: Lint = Lint {
    id: "",
    severity: Severity::Warning,
    group: Group::Default,
    reads: Reads::Yaml,
    about: "",
    basis: "LinuxKit",
    find: only_in_images,
};

/// For lints that text alone says nothing about.
fn only_in_images(_: &Context<'_>, _: &mut Vec<Fault>) {}

/// All lints, by id.
pub const LINTS: &[Lint] = &[
    Lint {
        id: "all-capabilities",
        reads: Reads::Configs,
        about: "a container with all capabilities can do what the host can",
        basis: "SP 800-190 4.4.3",
        find: container::all_capabilities,
        ..WARNING
    },
    Lint {
        id: "all-devices",
        group: Group::Hardening,
        reads: Reads::Configs,
        about: "a container that may use every device can read and write the host's disks",
        basis: "SP 800-190 4.4.3",
        find: bind::all_devices,
        ..WARNING
    },
    Lint {
        id: "broad-bind",
        group: Group::Hardening,
        reads: Reads::Configs,
        about: "a container that is given the host's own directories or its container runtime's socket can change the host",
        basis: "SP 800-190 4.5.5",
        find: bind::broad_bind,
        ..WARNING
    },
    Lint {
        id: "files-shadowed",
        about: "a file under a directory that is mounted over at boot is never seen",
        find: file::shadowed,
        ..WARNING
    },
    Lint {
        id: "files-tighten-parents",
        about: "the parents of a file get its mode, so a 0600 file can close /etc to everybody but root",
        find: file::tighten_parents,
        ..WARNING
    },
    Lint {
        id: "files-two-kinds",
        about: "an entry of `files` that gives two kinds of content loses one of them",
        find: file::two_kinds,
        ..WARNING
    },
    Lint {
        id: "host-namespace",
        group: Group::Hardening,
        reads: Reads::Configs,
        about: "a container in the host's namespaces sees its network, processes and shared memory; LinuxKit shares all but pid by default",
        basis: "SP 800-190 4.4.2, 4.4.3",
        find: container::host_namespace,
        ..WARNING
    },
    Lint {
        id: "ignored-user",
        reads: Reads::Configs,
        about: "the user that an image names is ignored, so a container that expects to be nobody runs as root",
        basis: "LinuxKit; SP 800-190 4.1.2",
        find: identity::ignored_user,
        ..WARNING
    },
    Lint {
        id: "new-privileges",
        group: Group::Hardening,
        reads: Reads::Configs,
        about: "without `noNewPrivileges` a setuid program or file capabilities give a process more than it was started with",
        basis: "SP 800-190 4.4.3",
        find: container::new_privileges,
        ..WARNING
    },
    Lint {
        id: "no-init",
        reads: Reads::Trees,
        about: "without an /init the kernel panics",
        find: system::no_init,
        ..WARNING
    },
    Lint {
        id: "no-runtime",
        reads: Reads::Trees,
        about: "without runc (or crun, with our init) no container runs, and without containerd no service under LinuxKit's init",
        find: system::no_runtime,
        ..WARNING
    },
    Lint {
        id: "root-user",
        group: Group::Hardening,
        reads: Reads::Configs,
        about: "a process that breaks out of its container keeps its user, and root is the default",
        basis: "SP 800-190 4.1.2, 4.4.3",
        find: identity::root_user,
        ..WARNING
    },
    Lint {
        id: "secret-in-env",
        reads: Reads::Configs,
        about: "a credential in an environment, a command or the kernel's command line is readable by everybody with the image",
        basis: "SP 800-190 4.1.4",
        find: secrets::in_env,
        ..WARNING
    },
    Lint {
        id: "secret-in-files",
        severity: Severity::Error,
        about: "a credential in `files` is readable by everybody with the image, and stays in state files and registries",
        basis: "SP 800-190 4.1.4",
        find: secrets::in_files,
        ..WARNING
    },
    Lint {
        id: "unknown-annotation",
        about: "an annotation that begins with `nodeimage.` and means nothing is a slip",
        basis: "nodeimage",
        find: container::unknown_annotation,
        ..WARNING
    },
    Lint {
        id: "unpinned",
        about: "a tag can stand for another image tomorrow",
        basis: "SP 800-190 4.1.5, 4.2.2",
        find: pins::unpinned,
        ..WARNING
    },
    Lint {
        id: "usr-merge",
        reads: Reads::Trees,
        about: "a directory such as the /lib of kernel.tar can't be put where an init image's link leads, so nothing can be built",
        ..WARNING
    },
    Lint {
        id: "usr-merge-linuxkit",
        group: Group::Portability,
        reads: Reads::Trees,
        about: "where one image has a directory and an init image a link of that name, nodeimage follows the link; with linuxkit one of them is lost",
        ..WARNING
    },
    Lint {
        id: "writable-root",
        group: Group::Hardening,
        reads: Reads::Configs,
        about: "a container that doesn't write to its root can have it read-only",
        basis: "SP 800-190 4.4.4",
        find: container::writable_root,
        ..WARNING
    },
];
