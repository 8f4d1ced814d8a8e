//! depmod's lists: which modules there are, and what they need (modules.dep, modules.builtin,
//! modules.softdep).

use std::collections::{BTreeMap, BTreeSet};

/// One module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Module {
    /// Its file, relative to /lib/modules/RELEASE or absolute.
    pub(super) path: String,
    /// Names of what must be loaded before, the last one first.
    pub(super) needs: Vec<String>,
}

/// What a module works better with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Soft {
    /// To be loaded before it.
    pub(super) before: Vec<String>,
    /// To be loaded after it.
    pub(super) after: Vec<String>,
}

/// A module's name with underscores, as the kernel has it.
pub(super) fn normal(name: &str) -> String {
    name.replace('-', "_")
}

/// The name of the module in a file.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let name = match file.find(".ko") {
        Some(end) => file.get(..end).unwrap_or(file),
        None => file,
    };
    normal(name)
}

/// Reads modules.dep: `FILE: FILE…`.
pub(super) fn modules(text: &str) -> BTreeMap<String, Module> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(path, needs)| {
            let module = Module {
                path: path.trim().to_owned(),
                needs: needs.split_whitespace().map(name_of).collect(),
            };
            (name_of(path.trim()), module)
        })
        .collect()
}

/// Reads modules.builtin: a file a line.
pub(super) fn builtin(text: &str) -> BTreeSet<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(name_of)
        .collect()
}

/// Reads the lines `softdep NAME pre: … post: …`.
pub(super) fn soft(text: &str) -> BTreeMap<String, Soft> {
    let mut all = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if let (Some("softdep"), Some(name)) = (words.next(), words.next()) {
            add_soft(&mut all, name, words);
        }
    }
    all
}

/// Adds the words behind `softdep NAME`.
pub(super) fn add_soft<'a>(
    all: &mut BTreeMap<String, Soft>,
    name: &str,
    words: impl Iterator<Item = &'a str>,
) {
    let soft = all.entry(normal(name)).or_default();
    let mut after = None;
    for word in words {
        match (word, after) {
            ("pre:", _) => after = Some(false),
            ("post:", _) => after = Some(true),
            (name, Some(false)) => soft.before.push(normal(name)),
            (name, Some(true)) => soft.after.push(normal(name)),
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_by_name() {
        let text = "kernel/drivers/net/virtio_net.ko: kernel/net/core/failover.ko \
                    kernel/drivers/net/net-failover.ko.xz\nkernel/a-b.ko:\nbroken\n";
        let modules = modules(text);
        assert_eq!(modules.len(), 2);
        assert_eq!(modules["virtio_net"].needs, ["failover", "net_failover"]);
        assert_eq!(modules["a_b"].path, "kernel/a-b.ko");
    }

    #[test]
    fn built_in_names() {
        let names = builtin("kernel/fs/ext4/ext4.ko\nkernel/x/nvme-core.ko\n\n");
        assert!(names.contains("ext4") && names.contains("nvme_core") && names.len() == 2);
    }

    #[test]
    fn soft_dependencies() {
        let soft = soft("# x\nsoftdep a-x pre: b c-d post: e\nsoftdep a_x pre: f\nsoftdep\n");
        assert_eq!(soft["a_x"].before, ["b", "c_d", "f"]);
        assert_eq!(soft["a_x"].after, ["e"]);
    }
}
