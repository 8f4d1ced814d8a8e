//! Loading kernel modules: for devices by their modalias, for the kernel's own requests, and by
//! name. The files are depmod's text files under /lib/modules/RELEASE.

mod alias;
mod coldplug;
mod config;
mod dep;
mod load;
pub(crate) mod uevent;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use crate::cmdline::Cmdline;
use crate::console::say;
use crate::error::{Error, Result};
use crate::sync::lock;
use alias::Aliases;
use config::Config;
use dep::{Module, Soft};

pub(crate) use coldplug::coldplug;

/// The modules of the running kernel; their index is read at the first use.
pub(crate) struct Modules {
    folder: PathBuf,
    cmdline: Cmdline,
    index: OnceLock<Index>,
    state: Mutex<State>,
}

/// What depmod and the image's configuration say.
struct Index {
    modules: BTreeMap<String, Module>,
    builtin: BTreeSet<String>,
    aliases: Aliases,
    soft: BTreeMap<String, Soft>,
    config: Config,
}

#[derive(Default)]
struct State {
    /// Loaded by us, or found loaded.
    loaded: BTreeSet<String>,
    /// Tried without success: told once.
    failed: BTreeSet<String>,
    /// Device aliases already looked at.
    seen: BTreeSet<String>,
}

impl Modules {
    /// Those of the running kernel.
    pub(crate) fn of_kernel(cmdline: &Cmdline) -> Self {
        let release = rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned();
        Self {
            folder: Path::new("/lib/modules").join(release),
            cmdline: cmdline.clone(),
            index: OnceLock::new(),
            state: Mutex::default(),
        }
    }

    /// Loads what drives a device, or serves a request, of this alias. Nothing does for most:
    /// false, and no error.
    pub(crate) fn load_alias(&self, alias: &str) -> bool {
        let index = self.index();
        let mut any = false;
        for name in index.resolve(alias) {
            if index.config.is_blacklisted(&name) {
                continue;
            }
            any |= self.load_told(&name);
        }
        any
    }

    /// As [`Modules::load_alias`] for a device, each alias once.
    fn load_device(&self, alias: &str) -> bool {
        let first = lock(&self.state).seen.insert(alias.to_owned());
        first && self.load_alias(alias)
    }

    /// Loads a module by its name, or by an alias as modprobe does.
    pub(crate) fn load_name(&self, name: &str) -> Result<()> {
        let index = self.index();
        let plain = dep::normal(name);
        if index.builtin.contains(&plain) {
            return Ok(());
        }
        if index.modules.contains_key(&plain) {
            return self.load(&plain, 0);
        }
        let names = index.resolve(name);
        if names.is_empty() {
            return Err(Error::Missing {
                what: format!("kernel module {name}"),
                hint: format!(
                    "it is neither built into the kernel nor below {}; check the name, \
                     or that kernel and kernel.tar belong together",
                    self.folder.display()
                ),
            });
        }
        names.iter().try_for_each(|name| self.load(name, 0))
    }

    /// Loads the modules that /etc/modules-load.d asks for; failures are told.
    pub(crate) fn load_configured(&self) {
        for name in config::modules_to_load() {
            if let Err(error) = self.load_name(&name) {
                say!("nodeimage: {error}");
            }
        }
    }

    fn load_told(&self, name: &str) -> bool {
        match self.load(name, 0) {
            Ok(()) => true,
            Err(error) => {
                if lock(&self.state).failed.insert(name.to_owned()) {
                    say!("nodeimage: {error}");
                }
                false
            }
        }
    }

    /// Loads a module after what it depends on. `depth` guards against circles, which depmod
    /// never writes.
    fn load(&self, name: &str, depth: usize) -> Result<()> {
        let index = self.index();
        if index.builtin.contains(name) || lock(&self.state).loaded.contains(name) {
            return Ok(());
        }
        let Some(module) = index.modules.get(name) else {
            return Err(Error::Missing {
                what: format!("kernel module {name}"),
                hint: format!("modules.dep in {} does not know it", self.folder.display()),
            });
        };
        if depth > 64 {
            return Err(Error::invalid(
                "modules.dep",
                format!("{name} depends on itself; run depmod"),
            ));
        }
        if index.config.is_forbidden(name) {
            return Ok(());
        }
        let soft = index.soft(name);
        for other in soft.before.iter() {
            // Soft: its absence is no fault.
            let _ = self.load(other, depth + 1);
        }
        for other in module.needs.iter().rev() {
            self.load(other, depth + 1)?;
        }
        let mut parameters = index.config.parameters(name);
        parameters.extend(self.cmdline.of_module(name));
        load::insert(&self.folder.join(&module.path), name, &parameters.join(" "))?;
        lock(&self.state).loaded.insert(name.to_owned());
        for other in soft.after.iter() {
            let _ = self.load(other, depth + 1);
        }
        Ok(())
    }

    fn index(&self) -> &Index {
        self.index
            .get_or_init(|| Index::read(&self.folder, &self.cmdline))
    }
}

impl Index {
    fn read(folder: &Path, cmdline: &Cmdline) -> Self {
        let text = |name: &str| {
            let bytes = fs::read(folder.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let dep = text("modules.dep");
        if dep.is_empty() && folder.join("kernel").is_dir() {
            say!(
                "nodeimage: {} has modules but no modules.dep: run depmod when kernel.tar is made",
                folder.display()
            );
        }
        let mut aliases = Aliases::default();
        aliases.read(&text("modules.alias"));
        let mut config = Config::default();
        for word in cmdline.list("modprobe.blacklist") {
            config.blacklist(word);
        }
        let mut soft = dep::soft(&text("modules.softdep"));
        config::read_all(&mut config, &mut aliases, &mut soft);
        Self {
            modules: dep::modules(&dep),
            builtin: dep::builtin(&text("modules.builtin")),
            aliases,
            soft,
            config,
        }
    }

    /// The modules that an alias stands for, most of them none.
    fn resolve(&self, alias: &str) -> Vec<String> {
        let plain = dep::normal(alias);
        if self.modules.contains_key(&plain) {
            return vec![plain];
        }
        self.aliases.find(alias)
    }

    fn soft(&self, name: &str) -> &Soft {
        static NONE: Soft = Soft {
            before: Vec::new(),
            after: Vec::new(),
        };
        self.soft.get(name).unwrap_or(&NONE)
    }
}
