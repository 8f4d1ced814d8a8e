//! `provider::nodeimage::image_id`

use crate::world::{IMAGE, World};

#[test]
fn the_id_that_the_resource_has() {
    let world = World::spawned();
    world.lock();
    world.config(
        &(IMAGE.to_owned()
            + r#"
output "one" { value = provider::nodeimage::image_id(file("node.yml"), file("node.lock")) }
output "list" { value = provider::nodeimage::image_id([file("node.yml")], file("node.lock"), "amd64") }
"#),
    );
    world.terraform.apply();
    let id = world.id();
    assert_eq!(world.terraform.output("one"), id);
    assert_eq!(world.terraform.output("list"), id);
    world.terraform.assert_no_changes();
}

#[test]
fn errors_name_the_argument() {
    let world = World::reattached();
    world.lock();
    for (call, argument, words) in [
        (
            "\"servces: []\", file(\"node.lock\")",
            "config",
            "did you mean `services`?",
        ),
        (
            "[file(\"node.yml\"), \"onbot: []\"], file(\"node.lock\")",
            "config",
            "config[1]",
        ),
        (
            "[file(\"node.yml\"), 7], file(\"node.lock\")",
            "config",
            "this element is a number",
        ),
        (
            "file(\"node.yml\"), \"{}\"",
            "lock",
            "the lock is not valid",
        ),
        (
            "\"onboot: [{name: x, image: a/b}]\", file(\"node.lock\")",
            "lock",
            "the lock has nothing for docker.io/a/b",
        ),
        (
            "file(\"node.yml\"), file(\"node.lock\"), \"z80\"",
            "architecture",
            "unknown architecture `z80`",
        ),
        (
            "file(\"node.yml\"), file(\"node.lock\"), \"amd64\", \"arm64\"",
            "architecture",
            "at most one",
        ),
        (
            "\"files: [{path: x, source: y}]\", file(\"node.lock\")",
            "config",
            "a function reads no files",
        ),
    ] {
        world.config(&format!(
            "output \"x\" {{\n  value = provider::nodeimage::image_id({call})\n}}\n"
        ));
        let error = world.terraform.fails(&["plan"]);
        assert!(
            error.contains(&format!("Invalid value for \"{argument}\" parameter")),
            "{call}: {error}"
        );
        assert!(error.contains(words), "{call}: {error}");
    }
}
