//! The provider's trust policy.

use crate::world::{IMAGE, UNLOCKED, World};

fn world(policy: &str, body: &str) -> World {
    let world = World::reattached();
    world.lock();
    world.terraform.write("trust.toml", policy);
    block(&world, body);
    world
}

fn block(world: &World, body: &str) {
    let policy = "  trust_policy = file(\"${path.module}/trust.toml\")";
    world.whole(&(world.provider(&world.layout(), policy) + body));
}

#[test]
fn a_refused_image_is_not_built_and_the_line_is_named() {
    let policy = "[trust]\nbuiltin = \"accept\"\n\"fixture.example\" = \"reject\"\n";
    let world = world(policy, IMAGE);
    let error = world.terraform.fails(&["apply", "-auto-approve"]);
    for words in [
        "Can't build the image",
        "trust_policy:3",
        "\"fixture.example\" = reject",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    // The policy changes no image.
    world
        .terraform
        .write("trust.toml", "default = \"digest\"\n");
    let plan = world.terraform.plan("p");
    world.terraform.ok(&["apply", "p"]);
    let id = world.id();
    assert!(plan.to_string().contains(&id));
    world.config(IMAGE);
    world.terraform.assert_no_changes();
}

#[test]
fn a_digest_is_asked_for_where_there_is_no_lock() {
    let world = world("default = \"digest\"\n", UNLOCKED);
    let error = world.terraform.fails(&["apply", "-auto-approve"]);
    assert!(error.contains("Can't resolve image references"), "{error}");
    assert!(error.contains("trust_policy:1"), "{error}");
    block(&world, IMAGE);
    world.terraform.apply();
}

#[test]
fn a_policy_that_cannot_be_read_is_an_error_before_anything_is_planned() {
    let world = world("\ndefault = \"yes\"\n", IMAGE);
    let error = world.terraform.fails(&["validate"]);
    assert!(error.contains("Invalid trust policy"), "{error}");
    assert!(error.contains("trust_policy:2"), "{error}");
}
