//! Configurations of which a part is known only when it is applied.

use tfplugin::testing::{Action, Terraform};

use crate::world::{UNLOCKED, World};

const LATE: &str = r#"
resource "terraform_data" "late" {
  input = {
    yaml     = file("${path.module}/node.yml")
    lock     = file("${path.module}/node.lock")
    firmware = "uefi"
    files    = "files: []"
  }
}
"#;

#[track_caller]
fn unknown_until_apply(body: &str) {
    let world = World::reattached();
    world.lock();
    world.config(&(LATE.to_owned() + body));
    let tf = &world.terraform;
    tf.ok(&["validate"]);
    let (action, change) = Terraform::planned(&tf.plan("p"), "nodeimage_image.node");
    assert_eq!(action, Action::Create);
    assert_eq!(change["after_unknown"]["id"], true, "{body}");
    assert_eq!(change["after_unknown"]["disk_digest"], true);
    tf.ok(&["apply", "p"]);
    tf.assert_no_changes();
    assert!(world.id().starts_with("sha256:"));
}

#[test]
fn the_whole_configuration() {
    unknown_until_apply(
        r#"resource "nodeimage_image" "node" {
  config = terraform_data.late.output.yaml
  lock   = file("node.lock")
}"#,
    );
}

#[test]
fn a_list_and_an_element_of_one() {
    unknown_until_apply(
        r#"resource "nodeimage_image" "node" {
  config = [file("node.yml"), terraform_data.late.output.files]
  lock   = file("node.lock")
}
resource "nodeimage_image" "other" {
  config = terraform_data.late.output.files == "" ? [] : [file("node.yml")]
  lock   = file("node.lock")
}"#,
    );
}

#[test]
fn the_lock_and_the_disk() {
    unknown_until_apply(
        r#"resource "nodeimage_image" "node" {
  config = file("node.yml")
  lock   = terraform_data.late.output.lock
  relock = terraform_data.late.id
}
resource "nodeimage_image" "other" {
  config = file("node.yml")
  lock   = file("node.lock")
  base_dir = terraform_data.late.output.firmware
  disk   = { firmware = terraform_data.late.output.firmware }
}
resource "nodeimage_file" "disk" {
  image = nodeimage_image.other
  path  = "${abspath(path.root)}/disk.img"
}"#,
    );
}

#[test]
fn known_elements_are_checked_all_the_same() {
    let world = World::reattached();
    world.lock();
    world.config(
        &(LATE.to_owned()
            + r#"resource "nodeimage_image" "node" {
  config = [
    terraform_data.late.output.files,
    7,
  ]
}"#),
    );
    let error = world.terraform.fails(&["plan"]);
    assert!(error.contains("this element is a number"), "{error}");
}

#[test]
fn the_provider_s_configuration() {
    let world = World::reattached();
    world.lock();
    let provider = world.provider(
        &world.layout(),
        "  threads = terraform_data.late.output == \"\" ? 1 : 2",
    );
    let late = "resource \"terraform_data\" \"late\" { input = \"x\" }\n";
    world.whole(&(late.to_owned() + &provider + crate::world::IMAGE));
    let tf = &world.terraform;
    let (_, change) = Terraform::planned(&tf.plan("p"), "nodeimage_image.node");
    assert!(
        change["after"]["id"].is_string(),
        "a plan needs no provider"
    );
    tf.ok(&["apply", "p"]);
    tf.assert_no_changes();

    // A data source that is read while planning does.
    tf.destroy();
    let data = "data \"nodeimage_latest\" \"node\" {\n  config = file(\"node.yml\")\n}\n";
    world.whole(&(late.to_owned() + &provider + data));
    let error = tf.fails(&["plan"]);
    assert!(error.contains("`threads` of the provider block"), "{error}");
    let registries = "  registries = {\n    \"r.example\" = { username = \"me\", password = terraform_data.late.output }\n  }";
    let provider = world.provider(&world.layout(), registries);
    world.whole(&(late.to_owned() + &provider + data));
    let error = tf.fails(&["plan"]);
    assert!(
        error.contains("`registries[\"r.example\"].password` of the provider block"),
        "{error}"
    );
    world.whole(&(late.to_owned() + &provider + UNLOCKED));
    tf.apply();
    tf.assert_no_changes();
}
