//! Adds to an image the shared libraries its programs need, found by the
//! ELF dynamic section (System V gABI, chapter 5) among the recipe's packages.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, elf};

use super::architecture::Architecture;
use super::tree::{Content, Node, Tree};
use super::union::Union;

/// Where Debian's loader looks, in its order.
fn folders(architecture: Architecture) -> [String; 4] {
    let own = architecture.multiarch();
    [
        format!("lib/{own}"),
        format!("usr/lib/{own}"),
        "lib".to_owned(),
        "usr/lib".to_owned(),
    ]
}

/// The loader and the libraries one ELF file asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Needs {
    interpreter: Option<String>,
    libraries: Vec<String>,
}

/// Adds libraries until every ELF file in `tree` has what it needs.
pub(super) fn complete(
    tree: &mut Tree,
    architecture: Architecture,
    union: &Union,
    used: &mut BTreeSet<usize>,
) -> Result<()> {
    let folders = folders(architecture);
    let mut pending: Vec<String> = tree.iter().map(|(path, _)| path.to_owned()).collect();
    while let Some(path) = pending.pop() {
        let Some(Node {
            content: Content::File(bytes),
            ..
        }) = tree.get(&path)
        else {
            continue;
        };
        if !bytes.starts_with(&elf::ELFMAG) {
            continue;
        }
        let needs = needs(bytes).with_context(|| format!("{path} is no sound ELF file"))?;
        if let Some(interpreter) = needs.interpreter {
            let interpreter = interpreter.trim_start_matches('/');
            add(tree, union, used, interpreter, &mut pending)
                .with_context(|| format!("{path} needs the loader {interpreter}"))?;
        }
        for library in needs.libraries {
            let Some(place) = folders
                .iter()
                .map(|folder| format!("{folder}/{library}"))
                .find(|place| union.get(place).is_some())
            else {
                bail!("{path} needs {library}: add the package that has it to the recipe");
            };
            add(tree, union, used, &place, &mut pending)?;
        }
    }
    Ok(())
}

/// Adds the path and, when it is a link, what it leads to.
fn add(
    tree: &mut Tree,
    union: &Union,
    used: &mut BTreeSet<usize>,
    path: &str,
    pending: &mut Vec<String>,
) -> Result<()> {
    let Some(real) = union.resolve(path) else {
        bail!("no declared package has {path}");
    };
    for place in [path, &real] {
        let Some((node, package)) = union.get(place) else {
            bail!("{path} leads through a linked folder");
        };
        used.insert(package);
        if tree.get(place).is_none() {
            tree.add(place, node.clone())?;
            pending.push(place.to_owned());
        }
    }
    Ok(())
}

fn needs(bytes: &[u8]) -> Result<Needs> {
    let header = elf::FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let mut needs = Needs::default();
    for segment in header.program_headers(endian, bytes)? {
        if let Some(interpreter) = segment.interpreter(endian, bytes)? {
            needs.interpreter = Some(String::from_utf8(interpreter.to_vec())?);
        }
    }
    let sections = header.sections(endian, bytes)?;
    if let Some((entries, strings)) = sections.dynamic(endian, bytes)? {
        let strings = sections.strings(endian, bytes, strings)?;
        for entry in entries {
            if entry.tag32(endian) == Some(elf::DT_NEEDED) {
                needs
                    .libraries
                    .push(String::from_utf8(entry.string(endian, strings)?.to_vec())?);
            }
        }
    }
    Ok(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program of this machine, wherever the tests run: this one.
    fn program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_programs_needs_are_read() {
        let needs = needs(&program()).unwrap();
        assert!(needs.interpreter.unwrap().contains("ld-linux"));
        assert!(needs.libraries.iter().any(|name| name == "libc.so.6"));
    }

    #[test]
    fn a_missing_library_fails_with_its_name() {
        let mut tree = Tree::default();
        tree.add("bin/it", Node::file(0o755, program())).unwrap();
        let mut used = BTreeSet::new();
        let loader = ("lib64/ld-linux-x86-64.so.2", Node::file(0o755, "x"));
        let folder = ("lib64", Node::folder(0o755));
        let union = Union::made_of("libc6", &[folder, loader]);
        let error = format!(
            "{:#}",
            complete(&mut tree, Architecture::Amd64, &union, &mut used).unwrap_err()
        );
        assert!(
            error.contains("bin/it needs") && error.contains(".so"),
            "{error}"
        );
    }

    #[test]
    fn broken_elf_is_an_error_not_a_panic() {
        let whole = program();
        for length in [4, 16, 63, 64, 200] {
            let mut tree = Tree::default();
            tree.add("it", Node::file(0o755, &whole[..length])).unwrap();
            assert!(
                {
                    let (union, mut used) = (Union::default(), BTreeSet::new());
                    complete(&mut tree, Architecture::Amd64, &union, &mut used)
                }
                .is_err()
            );
        }
    }
}
