//! The page about lints, from the lints themselves.

use std::fmt::Write as _;

use super::{Group, LINTS, Reads};
use crate::fault::Severity;

const HEAD: &str = "# Lints

<!-- Written by `cargo xtask docs` from the lints themselves. -->

`nodeimage lint node.yml` looks for what is valid YAML and still a mistake. Exit code 1 means that
there is an error, or a warning and `--deny`.

| option | what |
|---|---|
| `--deny` | every finding is an error |
| `--deny=NAME` | what the lint, or a lint of the group, finds is an error; it runs for that |
| `--enable NAME` | run the lint, or the group, too |
| `--format text\\|json\\|sarif` | SARIF 2.1.0 is for code hosts |
| `--list` | all lints |
| `--arch ARCH` | which machine's images are looked at |

A comment allows a finding, on its line or alone on the line above it; above an entry of a list it
holds for the whole entry, and for what concerns a section or the whole spec it may stand anywhere.
Say why:

```yaml
services:
  # nodeimage: allow all-capabilities, broad-bind
  # kubelet is the host's own hand
  - name: kubelet
    image: example.org/kubelet:1.35
```

Lints that read *configs* judge by the YAML and by the labels and configurations of the containers'
images; those that read *trees* by the files of the kernel and init images. Images are taken from
the store and from local sources, never from a registry; the output names each one that was not at
hand, the lints that did not see it and why. `nodeimage lock` pins them, `nodeimage build` puts them
into the store.

In Terraform, errors fail the plan: secrets in `files` (contents and sources) are such. A plan shows
the warnings of the lints that need no image and leave no doubt.

## All of them
";

/// Markdown.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for (group, about) in [
        (Group::Default, "Always on."),
        (
            Group::Hardening,
            "On with `--enable hardening`. A node's own services (kubelet, a getty) need some of \
             these rights; other services should not have them.",
        ),
        (
            Group::Portability,
            "On with `--enable portability`: for a YAML that linuxkit builds from as well.",
        ),
    ] {
        let _ = write!(
            page,
            "\n### {}\n\n{about}\n\n| id | | reads | why | after |\n|---|---|---|---|---|\n",
            group.name()
        );
        for lint in LINTS.iter().filter(|lint| lint.group == group) {
            let severity = match lint.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let reads = match lint.reads {
                Reads::Yaml => "YAML",
                Reads::Configs => "configs",
                Reads::Trees => "trees",
            };
            let _ = writeln!(
                page,
                "| `{}` | {severity} | {reads} | {} | {} |",
                lint.id, lint.about, lint.basis
            );
        }
    }
    page.push_str(
        "\n`unknown-lint` (warning) is about a comment that allows a lint that there is not; it \
         can't be allowed itself. SP 800-190 is NIST's Application Container Security Guide.\n",
    );
    page
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_fresh() {
        let page = include_str!("../../../../docs/lint.md");
        assert!(
            page == super::page(),
            "docs/lint.md is out of date. Run: cargo xtask docs"
        );
    }
}
