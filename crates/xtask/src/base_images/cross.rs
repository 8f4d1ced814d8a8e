//! Rust for arm64 on an amd64 machine: Debian's own compiler for web
//! browsers, its standard library for arm64, and binutils to link with. None
//! of it is installed: it is unpacked beside the build, and two scripts call
//! it with what an installed one would find by itself.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::architecture::Architecture::{Amd64, Arm64};
use super::lock::{Lock, Wanted};
use super::packages::Packages;
use crate::process;
use crate::workspace;

const fn amd64(name: &'static str) -> Wanted {
    Wanted {
        architecture: Amd64,
        name,
    }
}

const fn arm64(name: &'static str) -> Wanted {
    Wanted {
        architecture: Arm64,
        name,
    }
}

/// The compiler's own parts: of use only in the same version.
const RUST: [Wanted; 5] = [
    amd64("rustc-web"),
    amd64("libstd-rust-web"),
    amd64("libstd-rust-web-dev"),
    amd64("libllvm-rust-web"),
    arm64("libstd-rust-web-dev"),
];

/// What it loads that a Debian machine may not have, and what it links with.
const REST: [Wanted; 13] = [
    amd64("binutils-aarch64-linux-gnu"),
    amd64("libbsd0"),
    amd64("libedit2"),
    amd64("libffi8"),
    amd64("libicu72"),
    amd64("libjansson4"),
    amd64("liblzma5"),
    amd64("libmd0"),
    amd64("libtinfo6"),
    amd64("libxml2"),
    amd64("libz3-4"),
    arm64("libc6-dev"),
    arm64("libgcc-12-dev"),
];

/// Every package of the compiler.
pub(super) fn wanted() -> impl Iterator<Item = Wanted> {
    RUST.into_iter().chain(REST)
}

/// When one part of the compiler is to be locked anew, so are all.
pub(super) fn together(stale: &mut Vec<Wanted>, wanted: &[Wanted]) {
    if stale.iter().any(|one| RUST.contains(one)) {
        stale.extend(wanted.iter().filter(|one| RUST.contains(one)));
        stale.sort_unstable();
        stale.dedup();
    }
}

/// The compiler on this machine.
#[derive(Debug)]
pub(super) struct Cross {
    folder: PathBuf,
}

impl Cross {
    /// Unpacks the compiler into `folder`, unless that very one is there.
    pub(super) fn unpack(folder: &Path, packages: &Packages, lock: &Lock) -> Result<Self> {
        let cross = Self {
            folder: folder.to_owned(),
        };
        let mut stamp = format!("{}\n", folder.display());
        for one in wanted() {
            stamp += &format!("{}\n", lock.require(one)?.sha256);
        }
        let stamp_file = folder.join("stamp");
        if std::fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
            return Ok(cross);
        }
        eprintln!("xtask: unpacking Debian's Rust for arm64");
        workspace::remove(folder)?;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        for one in wanted() {
            process::run(
                Command::new("dpkg-deb")
                    .arg("-x")
                    .arg(packages.path(one)?)
                    .arg(folder),
            )?;
        }
        cross.script(&cross.rustc(), COMPILE)?;
        cross.script(&cross.linker(), LINK)?;
        std::fs::write(&stamp_file, stamp).context("cannot write the compiler's stamp")?;
        Ok(cross)
    }

    /// A compiler for cargo's `RUSTC`, for amd64 and arm64.
    pub(super) fn rustc(&self) -> PathBuf {
        self.folder.join("rustc")
    }

    /// The flags that make it compile a static program for arm64, and only
    /// them.
    pub(super) fn flags(&self) -> Vec<String> {
        vec![
            "-Ctarget-feature=+crt-static".to_owned(),
            // The script brings the start files of such a program.
            "-Crelocation-model=static".to_owned(),
            format!("-Clinker={}", self.linker().display()),
            "-Clinker-flavor=ld".to_owned(),
            format!("-Lnative={}", self.folder.join(LIBRARIES).display()),
            format!("-Lnative={}", self.folder.join(GCC).display()),
        ]
    }

    fn linker(&self) -> PathBuf {
        self.folder.join("ld")
    }

    fn script(&self, path: &Path, text: &str) -> Result<()> {
        // Quoted for the shell: inside single quotes only they are special.
        let root = self.folder.display().to_string().replace('\'', r"'\''");
        let text = text
            .replace("@LIBRARIES@", LIBRARIES)
            .replace("@GCC@", GCC)
            .replace("@ROOT@", &root);
        std::fs::write(path, text)
            .and_then(|()| std::fs::set_permissions(path, Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The C library for arm64.
const LIBRARIES: &str = "usr/lib/aarch64-linux-gnu";
/// What GCC adds to every program for arm64.
const GCC: &str = "usr/lib/gcc/aarch64-linux-gnu/12";

const COMPILE: &str = r#"#!/bin/sh
root='@ROOT@'
export LD_LIBRARY_PATH="$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu"
exec "$root/usr/bin/rustc" --sysroot "$root/usr" "$@"
"#;

/// A static program's start files come first and last (System V gABI,
/// "Initialization and Termination Functions").
const LINK: &str = r#"#!/bin/sh
root='@ROOT@'
c="$root/@LIBRARIES@" gcc="$root/@GCC@"
export LD_LIBRARY_PATH="$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu"
exec "$root/usr/bin/aarch64-linux-gnu-ld.bfd" "$c/crt1.o" "$c/crti.o" "$gcc/crtbeginT.o" "$@" \
    --start-group -lgcc -lgcc_eh -lc --end-group "$gcc/crtend.o" "$c/crtn.o"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_parts_are_locked_together() {
        let all: Vec<Wanted> = wanted().collect();
        let mut stale = vec![arm64("libstd-rust-web-dev")];
        together(&mut stale, &all);
        assert_eq!(stale.len(), RUST.len());
        let mut other = vec![amd64("libedit2")];
        together(&mut other, &all);
        assert_eq!(other, [amd64("libedit2")]);
    }

    #[test]
    fn scripts_name_their_folder_whatever_it_is_called() {
        let here = tempfile::tempdir().unwrap();
        let folder = here.path().join("it's $HOME");
        std::fs::create_dir_all(folder.join("usr/bin")).unwrap();
        let cross = Cross {
            folder: folder.clone(),
        };
        cross.script(&cross.rustc(), COMPILE).unwrap();
        cross
            .script(
                &folder.join("usr/bin/rustc"),
                "#!/bin/sh\nprintf '%s\\n' \"$@\"\n",
            )
            .unwrap();
        let said = process::output(Command::new(cross.rustc()).args(["-v", "V W"])).unwrap();
        let expected = format!("--sysroot\n{}/usr\n-v\nV W\n", folder.display());
        assert_eq!(String::from_utf8(said).unwrap(), expected);
    }
}
