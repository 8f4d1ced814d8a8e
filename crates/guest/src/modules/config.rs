//! The image's wishes: modprobe.d (options, blacklist, alias, softdep, and `install NAME
//! /bin/true` as a ban) and modules-load.d.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::alias::Aliases;
use super::dep::{Soft, add_soft, normal};
use crate::console::say;

const MODPROBE: [&str; 3] = ["/lib/modprobe.d", "/etc/modprobe.d", "/run/modprobe.d"];
const MODULES_LOAD: [&str; 2] = ["/usr/lib/modules-load.d", "/etc/modules-load.d"];

/// What modprobe.d says about modules.
#[derive(Debug, Default)]
pub(super) struct Config {
    options: BTreeMap<String, Vec<String>>,
    blacklist: BTreeSet<String>,
    forbidden: BTreeSet<String>,
}

impl Config {
    /// Not to be loaded for a device.
    pub(super) fn blacklist(&mut self, name: &str) {
        self.blacklist.insert(normal(name));
    }

    /// Whether devices do not get it.
    pub(super) fn is_blacklisted(&self, name: &str) -> bool {
        self.blacklist.contains(name) || self.forbidden.contains(name)
    }

    /// Whether nobody gets it.
    pub(super) fn is_forbidden(&self, name: &str) -> bool {
        self.forbidden.contains(name)
    }

    /// Its parameters.
    pub(super) fn parameters(&self, name: &str) -> Vec<String> {
        self.options.get(name).cloned().unwrap_or_default()
    }

    /// Takes one line of modprobe.d; false when it is not understood.
    fn line(
        &mut self,
        line: &str,
        aliases: &mut Aliases,
        soft: &mut BTreeMap<String, Soft>,
    ) -> bool {
        let mut words = line.split_whitespace();
        let (Some(verb), name) = (words.next(), words.next()) else {
            return true;
        };
        if verb.starts_with('#') {
            return true;
        }
        let Some(name) = name else { return false };
        match verb {
            "options" => {
                let options = self.options.entry(normal(name)).or_default();
                options.extend(words.map(str::to_owned));
            }
            "blacklist" => self.blacklist(name),
            "alias" => match words.next() {
                Some(module) => aliases.add(name, module),
                None => return false,
            },
            "softdep" => add_soft(soft, name, words),
            "install" => match words.next() {
                Some("/bin/true" | "/bin/false" | "/usr/bin/true" | "/usr/bin/false") => {
                    self.forbidden.insert(normal(name));
                }
                _ => return false,
            },
            _ => return false,
        }
        true
    }
}

/// Reads every modprobe.d file of the image.
pub(super) fn read_all(
    config: &mut Config,
    aliases: &mut Aliases,
    soft: &mut BTreeMap<String, Soft>,
) {
    for (path, text) in files(&MODPROBE) {
        for line in text.lines() {
            if !config.line(line, aliases, soft) {
                say!("nodeimage: {}: not understood: {line}", path.display());
            }
        }
    }
}

/// Names in modules-load.d, in the files' order.
pub(super) fn modules_to_load() -> Vec<String> {
    files(&MODULES_LOAD)
        .iter()
        .flat_map(|(_, text)| names(text))
        .collect()
}

fn names(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
        .map(str::to_owned)
        .collect()
}

/// The *.conf files of several folders; a later folder's file replaces one of the same name.
fn files(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut paths = BTreeMap::new();
    for folder in folders {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|end| end == "conf") {
                paths.insert(entry.file_name(), path);
            }
        }
    }
    paths
        .into_values()
        .filter_map(|path| match fs::read_to_string(&path) {
            // A backslash continues a line.
            Ok(text) => Some((path, text.replace("\\\n", " "))),
            Err(error) => {
                say!("nodeimage: cannot read {}: {error}", path.display());
                None
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_modprobe_d() {
        let mut config = Config::default();
        let mut aliases = Aliases::default();
        let mut soft = BTreeMap::new();
        for line in [
            "# comment",
            "",
            "options virtio-net a=1 b=2",
            "options virtio_net c",
            "blacklist pc-speaker",
            "alias my-thing real",
            "softdep a pre: b",
            "install bad /bin/true",
        ] {
            assert!(config.line(line, &mut aliases, &mut soft), "{line}");
        }
        for line in ["install x modprobe y", "nonsense z", "options", "alias x"] {
            assert!(!config.line(line, &mut aliases, &mut soft), "{line}");
        }
        assert_eq!(config.parameters("virtio_net"), ["a=1", "b=2", "c"]);
        assert!(config.is_blacklisted("pc_speaker") && !config.is_forbidden("pc_speaker"));
        assert!(config.is_blacklisted("bad") && config.is_forbidden("bad"));
        assert_eq!(aliases.find("my-thing"), ["real"]);
        assert_eq!(soft["a"].before, ["b"]);
    }

    #[test]
    fn modules_load_d_has_a_name_a_line() {
        assert_eq!(
            names("# x\n overlay \n; y\n\nbr_netfilter\n"),
            ["overlay", "br_netfilter"]
        );
    }
}
