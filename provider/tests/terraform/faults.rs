//! What users get wrong, and where Terraform shows it.

use crate::world::{IMAGE, World};

/// The error, which must show this line of the configuration.
#[track_caller]
fn shows(world: &World, command: &[&str], line: &str, words: &[&str]) -> String {
    let error = world.terraform.fails(command);
    assert!(error.contains(line), "not at {line:?}: {error}");
    for word in words {
        assert!(error.contains(word), "{word:?} is missing: {error}");
    }
    error
}

fn image(config: &str) -> String {
    format!("resource \"nodeimage_image\" \"node\" {{\n  config = {config}\n}}\n")
}

#[test]
fn what_is_no_text() {
    let world = World::reattached();
    for (config, line, what) in [
        ("5", "config = 5", "this is a number"),
        ("true", "config = true", "this is a bool"),
        ("{ kernel = {} }", "config = {", "this is an object"),
        ("[]", "config = []", "the list is empty"),
        ("toset([\"a\"])", "config = toset", "a set has no order"),
    ] {
        world.config(&image(config));
        shows(&world, &["validate"], line, &[what]);
    }
    // Every wrong element at its own line.
    world.config(&image(
        "[\n    file(\"node.yml\"),\n    7,\n    null,\n    [\"x\"],\n  ]",
    ));
    let text = std::fs::read_to_string(world.terraform.dir().join("main.tf")).unwrap();
    let error = world.terraform.fails(&["validate"]);
    for (element, what) in [
        ("    7,", "a number"),
        ("    null,", "null"),
        ("    [\"x\"],", "a list"),
    ] {
        let line = 1 + text.lines().position(|line| line == element).unwrap();
        assert!(
            error.contains(&format!("line {line}, in resource")),
            "{element}: {error}"
        );
        assert!(
            error.contains(&format!("this element is {what}")),
            "{error}"
        );
    }
}

#[test]
fn yaml_faults_all_at_once_in_their_files() {
    let world = World::reattached();
    world.terraform.write(
        "b.yml",
        "services:\n  - nam: x\n    image: fixture.example/web:1\nonbot: []\n",
    );
    world.terraform.write(
        "c.yml",
        "files:\n  - path: etc/x\n    mode: 0644\n    contents: x\n",
    );
    world.config(&image(
        "[\n    file(\"node.yml\"),\n    file(\"b.yml\"),\n    file(\"c.yml\"),\n  ]",
    ));
    let text = std::fs::read_to_string(world.terraform.dir().join("main.tf")).unwrap();
    let line = |of: &str| 1 + text.lines().position(|line| line.trim() == of).unwrap();
    let error = world.terraform.fails(&["validate"]);
    for (file, count) in [("file(\"b.yml\"),", 3), ("file(\"c.yml\"),", 1)] {
        let place = format!("line {}, in resource", line(file));
        assert!(
            error.matches(&place).count() >= count.min(2),
            "{file}: {error}"
        );
    }
    for words in [
        "nam",
        "did you mean `name`?",
        "onbot",
        "did you mean `onboot`?",
        "config[1]:2:",
        "config[1]:4:1",
        "config[2]:3:",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    // The one text has no index.
    world.config(&image("file(\"b.yml\")"));
    shows(
        &world,
        &["validate"],
        "config = file(\"b.yml\")",
        &["config:4:1"],
    );
}

#[test]
fn a_lock_that_is_none() {
    let world = World::reattached();
    world.terraform.write("node.lock", "{");
    world.config(IMAGE);
    shows(
        &world,
        &["validate"],
        "lock = file(\"${path.module}/node.lock\")",
        &["Invalid lock", "write it anew with `nodeimage lock`"],
    );
    // And the YAML's faults in the same go.
    world.edit("services:", "servces:");
    shows(
        &world,
        &["validate"],
        "lock = file",
        &["Invalid lock", "did you mean `services`?"],
    );
    world
        .terraform
        .write("node.lock", "{\"version\":9,\"recipe\":1}");
    shows(&world, &["validate"], "lock = file", &["version 9"]);
}

#[test]
fn disk_options_at_their_attributes() {
    let world = World::reattached();
    world.lock();
    let with = |options: &str| {
        world.config(&IMAGE.replacen("\n  lock ", &format!("\n  {options}\n  lock "), 1));
    };
    with("architecture = \"arm64\"\n  disk = {\n    firmware = \"bios\"\n  }");
    shows(
        &world,
        &["plan"],
        "firmware = \"bios\"",
        &[
            "Invalid disk option",
            "arm64 machines start by UEFI alone",
            "set the firmware to `uefi`",
        ],
    );
    with("disk = {\n    firmware = \"coreboot\"\n  }");
    shows(
        &world,
        &["validate"],
        "firmware = \"coreboot\"",
        &["hybrid"],
    );
    with("disk = {\n    size = 0\n  }");
    shows(&world, &["validate"], "size = 0", &[]);
    with("disk = {\n    cmdline = \"a\\nb\"\n  }");
    shows(
        &world,
        &["plan"],
        "cmdline = \"a\\nb\"",
        &["control characters"],
    );
    with("architecture = \"z80\"");
    shows(
        &world,
        &["validate"],
        "architecture = \"z80\"",
        &["amd64", "arm64"],
    );

    // What only the image itself can tell.
    let apply = ["apply", "-auto-approve"];
    let named = |error: &str, before: &str| -> u64 {
        let (_, rest) = error.split_once(before).unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    with("disk = {\n    size = 100\n  }");
    let words = [
        "100 MiB is too small for this image",
        "Can't build the image",
    ];
    let error = shows(&world, &apply, "size = 100", &words);
    let least = named(&error, "use at least ");
    let size = |size: u64| with(&format!("disk = {{\n    size = {size}\n  }}"));
    size(least - 1);
    shows(&world, &apply, "size = ", &["too small"]);
    size(least);
    world.terraform.apply();
    world.terraform.destroy();
    with("disk = {\n    min_memory = 3\n  }");
    let words = ["a machine with `min_memory` of 3 MiB cannot start this image"];
    let error = shows(&world, &apply, "min_memory = 3", &words);
    let needed = named(&error, "it needs ");
    let memory = |mib: u64| with(&format!("disk = {{\n    min_memory = {mib}\n  }}"));
    memory(needed - 1);
    shows(
        &world,
        &apply,
        "min_memory = ",
        &["cannot start this image"],
    );
    memory(needed);
    world.terraform.apply();
    with(
        "disk = {\n    size = 2048\n    firmware = \"uefi\"\n    codec = \"gzip\"\n    min_memory = 4096\n    cmdline = \"quiet\"\n  }",
    );
    world.terraform.apply();
    assert_eq!(
        world.terraform.resource("nodeimage_image.node")["disk_size"],
        2_u64 << 30
    );
    world.terraform.assert_no_changes();
}

#[test]
fn secrets_in_files_are_refused_and_not_shown() {
    let world = World::reattached();
    world.lock();
    let token = format!("ghp_{}", "a1B2".repeat(9));
    world.edit("port = 80\\n", &format!("token = {token}\\n"));
    world.config(IMAGE);
    let error = shows(
        &world,
        &["validate"],
        "config = file(\"${path.module}/node.yml\")",
        &["`etc/web/web.conf` holds a GitHub token", "user data"],
    );
    assert!(!error.contains(&token), "{error}");
    // Nor by way of a file beside it.
    world.edit(
        &format!("contents: \"token = {token}\\n\""),
        "source: web.conf",
    );
    world
        .terraform
        .write("web.conf", format!("token = {token}\n"));
    let base = format!("\n  base_dir = {:?}\n  lock ", world.terraform.dir());
    world.config(&IMAGE.replacen("\n  lock ", &base, 1));
    let error = shows(
        &world,
        &["plan"],
        "config = file",
        &["`etc/web/web.conf` holds a GitHub token"],
    );
    assert!(!error.contains(&token), "{error}");
    // Unless it is meant.
    world.edit(
        "  - path: etc/web/web.conf\n",
        "  # nodeimage: allow secret-in-files\n  - path: etc/web/web.conf\n",
    );
    world.terraform.ok(&["plan"]);
}

#[test]
fn what_is_doubtful_is_one_warning_of_the_plan() {
    let world = World::reattached();
    world.lock();
    world.config(IMAGE);
    let doubtful = "Doubtful LinuxKit configuration";
    let plan = world.terraform.ok(&["plan"]).stdout;
    assert_eq!(plan.matches(doubtful).count(), 1, "{plan}");
    assert!(plan.contains("[files-tighten-parents]"), "{plan}");
    world.edit(
        "  - path: etc/web/web.conf\n",
        "  # nodeimage: allow files-tighten-parents\n  - path: etc/web/web.conf\n",
    );
    world.edit(
        "  - path: var/empty\n",
        "  # nodeimage: allow files-shadowed\n  - path: var/empty\n",
    );
    let plan = world.terraform.ok(&["plan"]).stdout;
    assert!(!plan.contains(doubtful), "{plan}");
}

#[test]
fn the_provider_block() {
    let world = World::reattached();
    world.lock();
    let provider = |more: &str| format!("provider \"nodeimage\" {{\n  {more}\n}}\n");
    world.whole(&(provider("sources = { \"docker.io\" = \"ftp://x\" }") + IMAGE));
    shows(
        &world,
        &["validate"],
        "sources = {",
        &["Not a source", "ftp://x"],
    );
    world.whole(
        &(provider(
            "registries = {\n    \"http://x\" = {\n      username = \"me\"\n      password = \"hunter22\"\n    }\n  }",
        ) + IMAGE),
    );
    let error = shows(
        &world,
        &["validate"],
        "\"http://x\" = {",
        &["Not a registry", "in the provider block"],
    );
    assert!(!error.contains("hunter22"), "{error}");
    world.whole(
        &(provider("registries = { \"x.example\" = { username = \"me\", password = null } }")
            + IMAGE),
    );
    shows(&world, &["validate"], "registries = {", &["password"]);
    world.whole(&(provider("threads = 0") + IMAGE));
    shows(&world, &["validate"], "threads = 0", &[]);
    let cache = format!(
        "cache_dir = {:?}\n  config_file = \"absent.toml\"",
        world.store()
    );
    world.whole(&(provider(&cache) + IMAGE));
    shows(
        &world,
        &["apply", "-auto-approve"],
        "nodeimage_image",
        &["`config_file` of the provider block", "absent.toml"],
    );
    world.terraform.write("plain", "x");
    let cache = format!(
        "cache_dir = {:?}",
        world.terraform.dir().join("plain/store")
    );
    world.whole(&(provider(&cache) + IMAGE));
    shows(
        &world,
        &["apply", "-auto-approve"],
        "nodeimage_image",
        &["Can't open the store", "plain/store"],
    );
}

#[test]
fn images_that_are_not_there() {
    let world = World::reattached();
    world.lock();
    std::fs::rename(world.path("layout"), world.path("gone")).unwrap();
    world.config(IMAGE);
    let error = world.terraform.fails(&["apply", "-auto-approve"]);
    assert!(
        error.contains("Can't build the image") && error.contains("layout"),
        "{error}"
    );
    assert!(world.terraform.ok(&["state", "list"]).stdout.is_empty());
    std::fs::rename(world.path("gone"), world.path("layout")).unwrap();
    world.terraform.apply();
    world.terraform.assert_no_changes();
}
