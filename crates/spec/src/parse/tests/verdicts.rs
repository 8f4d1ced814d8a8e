//! What LinuxKit takes and refuses.

use super::*;

/// Texts that LinuxKit refuses, with a part of our message.
#[test]
fn refused() {
    for (text, wanted) in [
        ("", "the document is empty"),
        ("# only a comment\n", "the document is empty"),
        ("- a\n", "a spec must be a mapping, this is a list"),
        ("a\n", "this is a string"),
        ("init:\n", "`init` wants a list here, this is null"),
        ("services:\n", "`services` wants a list"),
        ("kernel:\n", "`kernel` wants a mapping"),
        ("kernel:\n  image: ~\n", "`image` wants a string"),
        ("foo: 1\n", "unknown key `foo` in a spec"),
        ("kernel: {foo: 1}\n", "unknown key `foo` in `kernel`"),
        ("cmdline: x\n", "unknown key `cmdline` in a spec"),
        (
            "init: [a]\ninit: [b]\n",
            "duplicate key `init`, first given in line 1",
        ),
        ("5: a\n", "a key must be a string, this is an integer"),
        ("[a]: b\n", "a key must be a string, this is a list"),
        ("init: [a\n", "YAML syntax"),
        ("\tinit: [a]\n", "a tab stands in front"),
        ("init:\n\t- a\n", "tabs disallowed"),
        ("init: [*x]\n", "no anchor is named `x`"),
        ("init: &a [*a]\n", "inside the value that it names"),
        ("init: [!!int abc]\n", "is no `!!int`"),
        ("<<: 5\ninit: []\n", "`<<` takes a mapping"),
        ("<<: {}\n<<: {}\n", "duplicate key `<<`"),
        (
            "init: [5]\n",
            "`init` wants a string here, this is an integer",
        ),
        ("init: [\"\"]\n", "it is empty"),
        ("init: ['@pkg:./x']\n", "templates such as `@pkg:`"),
        ("init: ['a b']\n", "no valid image reference"),
        (
            "services: [{name: a, image: b}, {name: a, image: b}]\n",
            "duplicate service name `a`",
        ),
        (
            "services: [{name: a}]\n",
            "a container needs the key `image`",
        ),
        ("services: [5]\n", "`services` wants a mapping here"),
        ("services: [{name: '', image: b}]\n", "the name is empty"),
        (
            "services: [{name: a/../../b, image: b}]\n",
            "leaves its directory",
        ),
        ("volumes: [{name: V1}]\n", "invalid volume name `V1`"),
        (
            "volumes: [{name: v}, {name: v}]\n",
            "duplicate volume name `v`",
        ),
        ("volumes: [{}]\n", "a volume needs a name"),
        (
            "volumes: [{name: v, format: ext4}]\n",
            "`ext4` is not one of: filesystem, oci",
        ),
        (
            "volumes: [{name: v, image: a, format: oci, platforms: [a/b/c/d]}]\n",
            "`a/b/c/d` is no platform",
        ),
        ("%YAML 1.2\n---\ninit: [a]\n", "no version but 1.1"),
        ("init: [a]\n\t# b\n", "a tab stands where a line begins"),
        (
            "files:\n- path: a\n  contents: |\n    \tb\n",
            "begins with a tab",
        ),
        ("kernel: {cmdline: \"\\/\"}\n", "does not know the escape"),
        (
            "kernel: {cmdline: \"\\ud83e\\udd80\"}\n",
            "escapes half of a character",
        ),
        ("init: [&ä x, *ä]\n", "does not take `ä` for a name"),
        (
            "files: [{path: a, contents: 5}]\n",
            "`contents` wants a string",
        ),
        (
            "files: [{path: a, mode: 0644, contents: a}]\n",
            "`mode` wants a string",
        ),
        (
            "files: [{path: a, mode: '0999', contents: a}]\n",
            "`0999` is no octal mode",
        ),
        ("files: [{contents: a}]\n", "needs a path"),
        ("files: [{path: a}]\n", "contents of `a` are not specified"),
        (
            "files: [{path: a, contents: a, source: b}]\n",
            "has both `contents` and `source`",
        ),
        (
            "files: [{path: a, contents: a, metadata: yaml}]\n",
            "has both `contents` and `metadata`",
        ),
        (
            "files: [{path: a, source: a, metadata: yaml}]\n",
            "has both `source` and `metadata`",
        ),
        (
            "files: [{path: a, directory: true, contents: a}]\n",
            "has both `directory` and `contents`",
        ),
        (
            "files: [{path: a, metadata: toml}]\n",
            "unsupported kind of metadata `toml`",
        ),
        (
            "files: [{path: a/../../b, contents: a}]\n",
            "leaves the root",
        ),
        ("files: [{path: \"a\\0\", contents: a}]\n", "NUL"),
        ("files: [{path: /, contents: a}]\n", "is the root itself"),
        ("files: [{path: a/, contents: a}]\n", "ends with `/`"),
        (
            "files: [{path: a, contents: a, uid: nobody}]\n",
            "no container is named `nobody`",
        ),
        (
            "files: [{path: a, contents: a, optional: 'true'}]\n",
            "`optional` wants `true` or `false`",
        ),
        ("trust: []\n", "`trust` wants a mapping"),
        ("trust: {images: []}\n", "unknown key `images` in `trust`"),
        ("outputs: [kernel+initrd]\n", "`outputs` wants a mapping"),
        ("outputs: [{}]\n", "needs the key `format`"),
    ] {
        let faults = faults(text).to_string();
        assert!(
            faults.contains(wanted),
            "{text}\nwanted: {wanted}\n{faults}"
        );
    }
}

/// Keys of a container that LinuxKit refuses.
#[test]
fn refused_options() {
    for (keys, wanted) in [
        (
            "readonly: yes",
            "`readonly` wants `true` or `false` here, this is a string",
        ),
        ("readonly: \"true\"", "remove the quotes"),
        ("net: 1", "`net` wants a string here, this is an integer"),
        ("command: /bin/sh", "`command` wants a list"),
        ("env: {A: b}", "write a list of `NAME=VALUE`"),
        ("env: [1.5]", "`env` wants a string here, this is a number"),
        ("sysctl: {a: 1}", "`a` wants a string"),
        ("annotations: {a: true}", "`a` wants a string"),
        ("restart: always", "unknown key `restart` in a container"),
        ("bind: []", "did you mean `binds`?"),
        ("contents: a", "the key belongs into an entry of `files`"),
        ("capabilities: [CAP_FOO]", "unknown capability `CAP_FOO`"),
        ("capabilities: [cap_chown]", "did you mean `CAP_CHOWN`?"),
        ("capabilities: [SYS_ADMIN]", "did you mean `CAP_SYS_ADMIN`?"),
        ("capabilities: [all, CAP_CHOWN]", "must stand alone"),
        ("capabilities.add: [x]", "unknown capability"),
        ("ambient: [x]", "unknown capability"),
        ("rlimits: [a]", "has not the form"),
        ("rlimits: ['nofil,1,2']", "did you mean `NOFILE`?"),
        ("rlimits: ['nofile,-1,2']", "`-1` is no limit"),
        ("binds: [/a]", "has no destination"),
        ("binds: ['/a:/b:ro:x']", "too many `:`"),
        ("binds: ['v:/b']", "there is no volume `v`"),
        ("binds.add: ['v:/b']", "there is no volume `v`"),
        ("tmpfs: ['/a:b:c']", "too many `:`"),
        (
            "mounts: [{destination: /x}]",
            "the mount on `/x` has no type",
        ),
        (
            "mounts: [{type: ext4}]",
            "the mount of type `ext4` has no destination",
        ),
        (
            "mounts: [{type: bind, source: v, destination: /x}]",
            "there is no volume `v`",
        ),
        ("mounts: [{target: /x}]", "unknown key `target` in a mount"),
        ("uid: nobody", "no container is named `nobody`"),
        ("gid: '0'", "for a number remove the quotes"),
        ("uid: 1.5", "`uid` wants an integer or a string"),
        ("uid: 4294967296", "is not between"),
        ("additionalGids: [x]", "no container is named `x`"),
        (
            "devices: [{path: /dev/x, type: c, major: 1, minor: 2}]",
            "has no mode",
        ),
        ("devices: [{path: /dev/x, mode: '0999'}]", "no octal mode"),
        (
            "devices: [{path: /dev/x, mode: 0660}]",
            "`mode` wants a string",
        ),
        ("oomScoreAdj: 1.5", "a number with a fraction"),
        ("oomScoreAdj: '5'", "remove the quotes"),
        ("resources: {memory: {limits: 1}}", "did you mean `limit`?"),
        ("resources: {cpu: {shares: -1}}", "-1 is not between"),
        (
            "resources: {memory: {limit: 9223372036854775807}}",
            "is not between",
        ),
        (
            "resources: {hugepageLimits: [{pageSize: 5, limit: 1}]}",
            "whole number of KiB",
        ),
        ("uidMappings: [{hostID: -1}]", "is not between"),
        (
            "runtime: {bindNS: {foo: a}}",
            "unknown key `foo` in `bindNS`",
        ),
        (
            "runtime: {interfaces: [{name: 5}]}",
            "`name` wants a string",
        ),
        ("runtime: {mkdir: a}", "`mkdir` wants a list"),
    ] {
        let faults = faults(&service(keys)).to_string();
        assert!(
            faults.contains(wanted),
            "{keys}\nwanted: {wanted}\n{faults}"
        );
        assert!(faults.contains("a.yml:4:"), "{keys}\n{faults}");
    }
}

/// Texts that LinuxKit takes.
#[test]
fn accepted() {
    for text in [
        "---\n",
        "~\n",
        "{}\n",
        "--- \n...\n",
        "init: []\n",
        "kernel: {}\n",
        "init: [a]\n---\ninit: 5\n---\n[",
        "trust: {image: [], org: [linuxkit]}\n",
        "onboot: [{name: a, image: b}, {name: a, image: b}]\nservices: [{name: a, image: b}]\n",
        "services: [{name: a/b, image: b}]\n",
        "kernel: {image: a, cmdline: '@foo'}\n",
        "files: [{path: a, contents: \"@home x\"}]\n",
        "files: [{path: /a//b/./c, contents: a}, {path: d/, directory: true}, {path: e, symlink: ../x}]\n",
        "files: [{path: a, metadata: json, mode: '0644', uid: root, gid: ''}]\n",
        "files: [{path: a, source: b, optional: true}]\n",
        "files: [{path: a, symlink: b, contents: c}]\n",
        "volumes: [{name: v, image: a, readonly: true, format: oci, platforms: [linux/arm64/v8]}]\n",
        "outputs: [{format: raw}]\n",
        "%YAML 1.1\n---\ninit: [a]\n",
        "\u{feff}init: [a]\n",
        "init: [a]\r\nkernel: {}\r\n",
    ] {
        one(text).unwrap_or_else(|faults| panic!("{text}\n{faults}"));
    }
    for keys in [
        "capabilities: [ALL]",
        "capabilities: [none]",
        "capabilities: []",
        "uid: -1",
        "uid: a",
        "additionalGids: [root, 5, a]",
        "readonly: True",
        "rlimits: ['rlimit_NOFILE, 5 ,unlimited', 'rttime,1,1']",
        "binds: ['/a:/b', '/a:/b:ro,nosuid']",
        "mounts: [{source: proc}, {destination: /dev}, {type: sysfs}, {type: ext4, destination: /x}]",
        "devices: [{path: all, type: b}, {path: /dev/x, type: c, major: 1, minor: -1, mode: '0660'}]",
        "oomScoreAdj: 1e2",
        "hostname: 2017-04-18",
        "net: \"1\"",
        "net: !!str 1",
        "cwd: ''",
    ] {
        options(keys);
    }
}
