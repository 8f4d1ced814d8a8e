//! Providers that fail, crash and lie, with the real Terraform.

mod common;

use common::World;
use serde_json::Value as Json;

fn thing(world: &World, act: &str) {
    world.config(&format!(
        "resource \"toy_thing\" \"a\" {{\n  name = \"a\"\n  text = \"t\"\n  act = {act:?}\n}}"
    ));
}

fn apply_fails(world: &World, act: &str) -> String {
    thing(world, act);
    world.terraform.fails(&["apply", "-auto-approve"])
}

#[test]
fn a_failed_creation_leaves_nothing_or_a_tainted_resource() {
    let world = World::reattached();
    let error = apply_fails(&world, "fail");
    assert!(error.contains("before anything was made"), "{error}");
    assert_eq!(world.terraform.ok(&["state", "list"]).stdout, "");
    let error = apply_fails(&world, "fail late");
    assert!(error.contains("it exists"), "{error}");
    let state = world.terraform.resource_in_state("toy_thing.a");
    assert_eq!(state["tainted"], true);
    assert_eq!(state["values"]["id"], "thing-1");
    // Unknown until the end.
    assert_eq!(state["values"]["revision"], Json::Null);
    thing(&world, "");
    world.terraform.apply();
    assert_eq!(
        world.log(),
        "register thing-1\nderegister thing-1\nregister thing-2\n"
    );
    world.terraform.assert_no_changes();
    let error = apply_fails(&world, "fail");
    assert!(error.contains("nothing was changed"), "{error}");
    let state = world.terraform.resource_in_state("toy_thing.a");
    assert_eq!(state["values"]["act"], "");
    assert_ne!(state["tainted"], true);
}

#[test]
fn a_panic_is_an_error_and_the_provider_goes_on() {
    let world = World::reattached();
    let error = apply_fails(&world, "panic");
    assert!(
        error.contains("The provider panicked: the wheels came off"),
        "{error}"
    );
    assert_eq!(world.terraform.ok(&["state", "list"]).stdout, "");
    let error = apply_fails(&world, "panic in validate");
    assert!(
        error.contains("The provider panicked: the validator fell over"),
        "{error}"
    );
    // What was saved before the panic is not lost.
    apply_fails(&world, "panic late");
    assert_eq!(world.terraform.resource("toy_thing.a")["id"], "thing-1");
    thing(&world, "");
    world.terraform.apply();
}

#[test]
fn lies_are_called_by_name() {
    let world = World::reattached();
    for (act, text) in [
        (
            "change the plan",
            "The plan changes a value that the configuration sets (attribute text)",
        ),
        (
            "set null",
            "The plan changes a value that the configuration sets (attribute text)",
        ),
        ("forget", "The provider left revision unknown after apply"),
        (
            "lie",
            "The result differs from what was planned (attribute text)",
        ),
    ] {
        let error = apply_fails(&world, act);
        assert!(
            error.contains("Bug in the provider") && error.contains(text),
            "{error}"
        );
        assert!(!error.contains("inconsistent result"), "{error}");
        world.terraform.run(&["apply", "-destroy", "-auto-approve"]);
    }
    // Write-only values in a plan are dropped, whatever the resource does.
    world.config(
        "resource \"toy_thing\" \"a\" {\n  name = \"a\"\n  act = \"store the password\"\n  password = \"p\"\n}",
    );
    world.terraform.apply();
    world.config("resource \"toy_thing\" \"a\" {\n  name = \"a\"\n  text = \"\"\n}");
    world.terraform.apply();
    world.config("resource \"toy_thing\" \"a\" {\n  name = \"a\"\n  act = \"change the plan\"\n}");
    let error = world.terraform.fails(&["plan"]);
    assert!(
        error.contains("where the configuration has none (attribute text)"),
        "{error}"
    );
}

#[test]
fn a_destroy_can_be_refused_and_warned_of() {
    let world = World::reattached();
    thing(&world, "stay");
    world.terraform.apply();
    let error = world.terraform.fails(&["destroy", "-auto-approve"]);
    assert!(error.contains("It stays"), "{error}");
    thing(&world, "");
    world.terraform.apply();
    let output = world.terraform.destroy().flowed();
    assert!(output.contains("Going away"), "{output}");
}
