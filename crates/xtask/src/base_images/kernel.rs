//! The kernel image: `kernel` and `kernel.tar`, as LinuxKit names them. Debian
//! makes the module indices when a kernel is installed, so depmod runs here.

use anyhow::{Context, Result, anyhow, bail};

use super::host_tool::HostTools;
use super::recipe::Making;
use super::tree::{Content, Node, Tree};
use crate::process;

const MODULES: &str = "lib/modules/";

pub(super) fn make(making: &mut Making<'_>) -> Result<()> {
    let release = release(making)?;
    making.take(&format!("boot/vmlinuz-{release}"), "kernel")?;
    let modules = format!("{MODULES}{release}");
    let mut tree = Tree::default();
    for (path, node, _) in making.union.under(&format!("{modules}/")) {
        // Links to the build folder of a headers package lead nowhere here.
        if !matches!(node.content, Content::Link(_)) {
            tree.add(path, node.clone())?;
        }
    }
    for (name, bytes) in indices(making, &release)? {
        let path = format!("{modules}/{name}");
        if tree.get(&path).is_none() {
            tree.add(&path, Node::file(0o644, bytes))?;
        }
    }
    if tree.get(&format!("{modules}/modules.dep")).is_none() {
        bail!("depmod made no modules.dep");
    }
    making
        .tree
        .add("kernel.tar", Node::file(0o644, tree.to_tar()?))
}

fn release(making: &Making<'_>) -> Result<String> {
    let prefix = "boot/vmlinuz-";
    let mut kernels = making.union.under(prefix).map(|(path, _, _)| path);
    match (kernels.next(), kernels.next()) {
        (Some(path), None) => Ok(path[prefix.len()..].to_owned()),
        _ => Err(anyhow!("the package must hold exactly one kernel")),
    }
}

/// Every `modules.*` file of the release after depmod, sorted by name.
fn indices(making: &Making<'_>, release: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut wanted = making.recipe.packages_for(making.architecture);
    wanted.extend(making.recipe.tools);
    let tools = HostTools::unpack(&wanted, making.packages)?;
    let empty = tools.path("no-configuration");
    std::fs::create_dir(&empty).context("cannot make a temporary folder")?;
    process::run(
        tools
            .command("bin/kmod", "depmod")
            .arg("-C")
            .arg(empty)
            .arg("-b")
            .arg(tools.folder())
            .arg(release),
    )?;
    let folder = tools.path(MODULES).join(release);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).context("cannot read the modules")? {
        let entry = entry.context("cannot read the modules")?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("modules.") {
            let bytes =
                std::fs::read(entry.path()).with_context(|| format!("cannot read {name}"))?;
            found.push((name, bytes));
        }
    }
    found.sort();
    Ok(found)
}
