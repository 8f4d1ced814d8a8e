//! Mount options as words, and mounting with them: mount(8)'s words for mount(2)'s flags, the
//! rest is the file system's.

use std::ffi::CString;
use std::path::Path;

use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_remount,
};

use crate::error::{Doing, Error, Result};

/// What a list of options means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Flags of the mount, without those below.
    pub(crate) flags: MountFlags,
    /// `bind` or `rbind`.
    pub(crate) bind: Bind,
    /// `remount`.
    pub(crate) remount: bool,
    /// `shared`, `private`, `slave`, `unbindable`, or their recursive forms; none is empty.
    pub(crate) propagation: MountPropagationFlags,
    /// For the file system, joined by commas.
    pub(crate) data: String,
}

/// Whether another place's tree is shown, and how much of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Bind {
    /// A file system of its own.
    #[default]
    No,
    /// The one mount.
    One,
    /// The mounts below it as well.
    Recursive,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flags: MountFlags::empty(),
            bind: Bind::No,
            remount: false,
            propagation: MountPropagationFlags::empty(),
            data: String::new(),
        }
    }
}

impl Options {
    /// Sorts `words` into their meanings.
    pub(crate) fn parse(words: &[String]) -> Self {
        let mut options = Self::default();
        let mut data: Vec<&str> = Vec::new();
        for word in words {
            options.word(word, &mut data);
        }
        options.data = data.join(",");
        options
    }

    fn word<'a>(&mut self, word: &'a str, data: &mut Vec<&'a str>) {
        use MountPropagationFlags as P;
        let (flag, on) = match word {
            "" | "defaults" | "loud" | "auto" | "noauto" => return,
            "bind" => {
                self.bind = Bind::One;
                return;
            }
            "rbind" => {
                self.bind = Bind::Recursive;
                return;
            }
            "remount" => {
                self.remount = true;
                return;
            }
            "shared" => return self.propagation = P::SHARED,
            "rshared" => return self.propagation = P::SHARED | P::REC,
            "private" => return self.propagation = P::PRIVATE,
            "rprivate" => return self.propagation = P::PRIVATE | P::REC,
            "slave" => return self.propagation = P::DOWNSTREAM,
            "rslave" => return self.propagation = P::DOWNSTREAM | P::REC,
            "unbindable" => return self.propagation = P::UNBINDABLE,
            "runbindable" => return self.propagation = P::UNBINDABLE | P::REC,
            "ro" => (MountFlags::RDONLY, true),
            "rw" => (MountFlags::RDONLY, false),
            "nosuid" => (MountFlags::NOSUID, true),
            "suid" => (MountFlags::NOSUID, false),
            "nodev" => (MountFlags::NODEV, true),
            "dev" => (MountFlags::NODEV, false),
            "noexec" => (MountFlags::NOEXEC, true),
            "exec" => (MountFlags::NOEXEC, false),
            "sync" => (MountFlags::SYNCHRONOUS, true),
            "async" => (MountFlags::SYNCHRONOUS, false),
            "dirsync" => (MountFlags::DIRSYNC, true),
            "mand" => (MountFlags::PERMIT_MANDATORY_FILE_LOCKING, true),
            "nomand" => (MountFlags::PERMIT_MANDATORY_FILE_LOCKING, false),
            "noatime" => (MountFlags::NOATIME, true),
            "atime" => (MountFlags::NOATIME, false),
            "nodiratime" => (MountFlags::NODIRATIME, true),
            "diratime" => (MountFlags::NODIRATIME, false),
            "relatime" => (MountFlags::RELATIME, true),
            "norelatime" => (MountFlags::RELATIME, false),
            "strictatime" => (MountFlags::STRICTATIME, true),
            "nostrictatime" => (MountFlags::STRICTATIME, false),
            "lazytime" => (MountFlags::LAZYTIME, true),
            "nolazytime" => (MountFlags::LAZYTIME, false),
            "silent" => (MountFlags::SILENT, true),
            other => return data.push(other),
        };
        self.flags.set(flag, on);
    }

    /// The value of `name=` among the file system's options.
    pub(crate) fn value<'a>(&'a self, name: &str) -> Option<&'a str> {
        self.data
            .split(',')
            .find_map(|item| item.strip_prefix(name)?.strip_prefix('='))
    }

    /// Mounts `source` on `target`, a folder or file that is there.
    pub(crate) fn mount(&self, source: &str, target: &Path, kind: &str) -> Result<()> {
        self.attach(source, target, kind).doing(|| {
            let verb = if self.remount { "remount" } else { "mount" };
            format!("{verb} {source} on {} ({kind})", target.display())
        })?;
        if !self.propagation.is_empty() {
            mount_change(target, self.propagation)
                .doing(|| format!("set the propagation of {}", target.display()))?;
        }
        Ok(())
    }

    fn attach(&self, source: &str, target: &Path, kind: &str) -> std::io::Result<()> {
        if self.remount {
            let bind = match self.bind {
                Bind::No => MountFlags::empty(),
                Bind::One | Bind::Recursive => MountFlags::BIND,
            };
            // A lone propagation change comes as a remount too, and needs none.
            if self.propagation.is_empty() || !self.flags.is_empty() || !self.data.is_empty() {
                mount_remount(target, self.flags | bind, self.data.as_str())?;
            }
            return Ok(());
        }
        match self.bind {
            Bind::No => {
                let data = CString::new(self.data.as_str())?;
                mount(source, target, kind, self.flags, data.as_c_str())?;
                return Ok(());
            }
            Bind::One => mount_bind(source, target)?,
            Bind::Recursive => mount_bind_recursive(source, target)?,
        }
        // A bind takes its flags from a second step.
        if !self.flags.is_empty() {
            mount_remount(target, self.flags | MountFlags::BIND, "")?;
        }
        Ok(())
    }
}

/// Checks that a path of the overlay file system can be given as an option.
pub(crate) fn overlay_value(path: &Path) -> Result<&str> {
    let text = path
        .to_str()
        .filter(|text| !text.contains([',', ':', '\\']));
    text.ok_or_else(|| {
        Error::invalid(
            format!("path {}", path.display()),
            "an overlay cannot be mounted there; use a name without comma, colon and backslash",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Options {
        let words: Vec<String> = text.split(',').map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn words_become_flags_and_the_rest_stays() {
        let options = parse("nosuid,ro,size=65536k,mode=755,defaults,rw,noexec");
        assert_eq!(options.flags, MountFlags::NOSUID | MountFlags::NOEXEC);
        assert_eq!(options.data, "size=65536k,mode=755");
        assert_eq!(options.value("mode"), Some("755"));
        assert_eq!(options.value("mod"), None);
    }

    #[test]
    fn binds_and_propagation() {
        let options = parse("rw,rbind,rshared");
        assert_eq!(options.bind, Bind::Recursive);
        assert_eq!(
            options.propagation,
            MountPropagationFlags::SHARED | MountPropagationFlags::REC
        );
        assert!(options.data.is_empty() && options.flags.is_empty());
        assert!(parse("remount,private").remount);
    }

    #[test]
    fn overlay_options() {
        let options = parse("lowerdir=/a/lower,upperdir=/b/tmp/upper,workdir=/b/tmp/work");
        assert_eq!(options.value("upperdir"), Some("/b/tmp/upper"));
        assert!(overlay_value(Path::new("/a,b")).is_err());
        assert!(overlay_value(Path::new("/a b")).is_ok());
    }
}
