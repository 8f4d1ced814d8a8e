//! The messages that users meet most, as they are printed.

use nodeimage_spec::{Document, parse};

#[test]
fn the_usual_mistakes() {
    let mistakes = [
        (
            "a misspelled key",
            "services:\n  - name: web\n    image: nginx:1\n    capabilites: [all]\n",
        ),
        (
            "a mode without quotes",
            "files:\n  - path: etc/motd\n    contents: hello\n    mode: 0644\n",
        ),
        (
            "an old boolean",
            "services:\n  - name: web\n    image: nginx:1\n    readonly: yes\n",
        ),
        (
            "a number for a string",
            "services:\n  - name: web\n    image: nginx:1\n    sysctl:\n      net.core.somaxconn: 1024\n",
        ),
        (
            "a command that is no list",
            "onboot:\n  - name: dhcpcd\n    image: linuxkit/dhcpcd:1\n    command: /sbin/dhcpcd --nobackground\n",
        ),
        (
            "environment as a mapping",
            "services:\n  - name: web\n    image: nginx:1\n    env:\n      PORT: \"80\"\n",
        ),
        ("an empty section", "services:\nfiles: []\n"),
        ("a tab", "services:\n\t- name: web\n"),
        (
            "the wrong indentation",
            "services:\n  - name: web\n   image: nginx:1\n",
        ),
        ("a key twice", "init: [a]\nkernel: {}\ninit: [b]\n"),
        (
            "a service twice",
            "services:\n  - {name: web, image: a}\n  - {name: web, image: b}\n",
        ),
        (
            "a capability without CAP_",
            "services:\n  - {name: web, image: a, capabilities: [NET_ADMIN]}\n",
        ),
        (
            "a volume that is not there",
            "volumes: [{name: data}]\nservices:\n  - {name: web, image: a, binds: [\"dta:/data\"]}\n",
        ),
        (
            "a user in quotes",
            "services:\n  - {name: web, image: a, uid: \"1000\"}\n",
        ),
        ("a file without contents", "files:\n  - path: etc/motd\n"),
        (
            "a package of a source tree",
            "init:\n  - \"@pkg:../pkg/init\"\n",
        ),
        ("a reference in upper case", "init: [linuxkit/Init:1]\n"),
        ("an unquoted @", "kernel: {cmdline: @x}\n"),
    ];
    let mut shown = String::new();
    for (what, text) in mistakes {
        let faults = parse(&[Document {
            name: "node.yml",
            text,
        }])
        .unwrap_err();
        shown.push_str(&format!("# {what}\n{faults}\n\n"));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn faults_of_several_files_come_together() {
    let texts = [
        (
            "common.yml",
            "kernel: {imag: a}\nservices:\n  - {name: web, image: a, net: 1}\n",
        ),
        (
            "node.yml",
            "services:\n  - {name: web, image: a}\n  - {name: db, image: B, uid: nobody}\nfoo: 1\n",
        ),
        ("site.yml", "files: [{path: a, contents: b\n"),
    ];
    let documents = texts.map(|(name, text)| Document { name, text });
    insta::assert_snapshot!(parse(&documents).unwrap_err());
}
