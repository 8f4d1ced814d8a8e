//! Every reference of a spec is one that the lock must hold.

use nodeimage_spec::{Architecture, Document, parse, references};

#[test]
fn all_of_every_section_and_document() {
    let first = "kernel: {image: linuxkit/kernel:6}\ninit: [linuxkit/init:1, 'builtin:init']\nvolumes:\n- {name: blank}\n- {name: v, image: vol}\ntrust: {image: [linuxkit/trusted], org: [linuxkit]}\n";
    let second = "kernel: {cmdline: x}\ninit: [runc]\nonboot: [{name: a, image: boot}]\nonshutdown: [{name: a, image: down}]\nservices: [{name: a, image: quay.io/s/s:2}, {name: b, image: boot}]\nvolumes: [{name: w, image: oci, format: oci, platforms: [linux/arm64]}]\nfiles: [{path: a, contents: nginx}]\n";
    let documents = [first, second].map(|text| Document {
        name: "a.yml",
        text,
    });
    let parsed = parse(&documents).unwrap();
    let found = references(&parsed.spec, Architecture::Amd64);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(
        found,
        [
            "builtin:boot",
            "builtin:init",
            "docker.io/library/boot",
            "docker.io/library/down",
            "docker.io/library/oci",
            "docker.io/library/runc",
            "docker.io/library/vol",
            "docker.io/linuxkit/init:1",
            "docker.io/linuxkit/kernel:6",
            "quay.io/s/s:2",
        ]
    );
    // `trust` names what must be pinned, it brings no image of its own.
    assert_eq!(parsed.trust.image, ["linuxkit/trusted"]);
    assert_eq!(parsed.trust.org, ["linuxkit"]);
}
