//! States of other machines and other versions.

use serde_json::json;
use tfplugin::testing::{Action, Terraform};

use crate::world::{IMAGE, UNLOCKED, World};

#[test]
fn a_plan_is_applied_with_an_empty_store() {
    let world = World::spawned();
    world.lock();
    let file = "resource \"nodeimage_file\" \"disk\" {\n  image = nodeimage_image.node\n  path = \"out/disk.img\"\n}\n";
    world.config(&(IMAGE.to_owned() + file));
    let tf = &world.terraform;
    tf.apply();
    let first = tf.resource("nodeimage_file.disk");
    world.edit("port = 80", "port = 81");
    tf.ok(&["plan", "-out=p"]);
    std::fs::remove_dir_all(world.store()).unwrap();
    tf.ok(&["apply", "p"]);
    let second = tf.resource("nodeimage_file.disk");
    assert_ne!(second["disk_digest"], first["disk_digest"]);
    assert!(
        tf.dir().join("out/disk.img").is_file(),
        "relative to the root module"
    );
    tf.assert_no_changes();

    // And back again: the same bytes from nothing.
    world.edit("port = 81", "port = 80");
    std::fs::remove_dir_all(world.store()).unwrap();
    tf.apply();
    assert_eq!(
        tf.resource("nodeimage_file.disk")["disk_digest"],
        first["disk_digest"]
    );
    tf.destroy();
}

#[test]
fn a_second_machine_needs_nothing() {
    let first = World::reattached();
    first.config(UNLOCKED);
    first.terraform.apply();
    let second = World::spawned();
    let state = std::fs::read(first.terraform.dir().join("terraform.tfstate")).unwrap();
    second.terraform.write("terraform.tfstate", state);
    std::fs::remove_dir_all(second.path("layout")).unwrap();
    second.whole(&(second.provider("oci:/nonexistent", "") + UNLOCKED));
    second.terraform.assert_no_changes();
    second
        .terraform
        .ok(&["apply", "-auto-approve", "-refresh-only"]);
    assert!(!second.store().exists());
    second.terraform.destroy();
}

#[test]
fn attributes_of_other_versions() {
    let world = World::reattached();
    world.lock();
    world.config(IMAGE);
    world.terraform.apply();
    world.edit_state(|attributes| {
        attributes["colour"] = json!("blue");
        attributes["disk"] = json!(null);
        attributes.as_object_mut().unwrap().remove("base_dir");
    });
    world.terraform.assert_no_changes();
    world.edit("port = 80", "port = 81");
    world.terraform.apply();
    assert!(!world.state().to_string().contains("colour"));
}

#[test]
fn a_spec_of_a_later_version() {
    let world = World::reattached();
    let tf = &world.terraform;
    world.config(UNLOCKED);
    tf.apply();
    let id = world.id();
    world.edit_state(|attributes| {
        let spec = attributes["spec"].as_str().unwrap();
        attributes["spec"] = json!(spec.replacen("\"recipe\":1", "\"recipe\":99", 1));
    });
    // Its digests are not replaced by today's unasked.
    let error = tf.fails(&["plan"]);
    assert!(
        error.contains("recipe 99") && error.contains("change `relock`"),
        "{error}"
    );
    world.config(&UNLOCKED.replace("config ", "relock = \"now\"\n  config "));
    tf.apply();
    assert_eq!(world.id(), id);
    tf.assert_no_changes();
    world.edit_state(|attributes| attributes["spec"] = json!("{}"));
    world.lock();
    world.config(IMAGE);
    let (action, change) = Terraform::planned(&tf.plan("p"), "nodeimage_image.node");
    assert_eq!(action, Action::Update);
    assert_eq!(change["after"]["id"], id);
    tf.ok(&["apply", "p"]);
    tf.assert_no_changes();
}
