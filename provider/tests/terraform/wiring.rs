//! `image = nodeimage_image.node` and its other forms.

use std::fs;

use tfplugin::testing::{Action, Terraform};

use crate::world::{IMAGE, World};

#[test]
fn whole_images_by_every_way() {
    let world = World::reattached();
    world.lock();
    let tf = &world.terraform;
    tf.write(
        "node/main.tf",
        "terraform {\n  required_providers {\n    nodeimage = { source = \"nodeimage/nodeimage\" }\n  }\n}\n\
         resource \"nodeimage_image\" \"node\" {\n  config = file(\"${path.module}/../node.yml\")\n  lock = file(\"${path.module}/../node.lock\")\n}\n\
         output \"image\" {\n  value = nodeimage_image.node\n  sensitive = true\n}\n",
    );
    world.config(
        &(IMAGE.to_owned()
            + r#"
resource "terraform_data" "late" { input = "x" }
resource "nodeimage_image" "many" {
  for_each = toset(["p", "q"])
  config   = "${file("node.yml")}\n  - {path: etc/name, contents: ${each.key}}\n"
  lock     = file("node.lock")
}
resource "nodeimage_file" "each" {
  for_each = nodeimage_image.many
  image    = each.value
  path     = "${abspath(path.root)}/${each.key}.img"
}
resource "nodeimage_file" "chosen" {
  image = terraform_data.late.output == "x" ? nodeimage_image.node : nodeimage_image.many["p"]
  path  = "${abspath(path.root)}/chosen.img"
}
resource "nodeimage_image" "list" {
  config = [file("node.yml")]
  lock   = file("node.lock")
}
resource "nodeimage_file" "members" {
  image = {
    id   = terraform_data.late.output == "x" ? nodeimage_image.list.id : nodeimage_image.node.id
    spec = terraform_data.late.output == "x" ? nodeimage_image.list.spec : nodeimage_image.node.spec
  }
  path = "${abspath(path.root)}/members.img"
}
module "node" { source = "./node" }
resource "nodeimage_file" "module" {
  image = module.node.image
  path  = "${abspath(path.root)}/module.img"
}
variable "spec" {
  ephemeral = true
  type      = string
  default   = null
}
variable "id" { default = null }
resource "nodeimage_file" "own" {
  count = var.id == null ? 0 : 1
  image = { id = var.id, spec = var.spec }
  path  = "${abspath(path.root)}/own.img"
}
"#),
    );
    tf.ok(&["init"]);
    let plan = tf.plan("p");
    let (_, change) = Terraform::planned(&plan, "nodeimage_file.each[\"p\"]");
    assert!(change["after"]["image"]["id"].is_string());
    tf.ok(&["apply", "p"]);
    tf.assert_no_changes();
    let digest = |address: &str| tf.resource(address)["disk_digest"].clone();
    assert_eq!(
        digest("nodeimage_file.chosen"),
        digest("nodeimage_file.module")
    );
    assert_eq!(
        digest("nodeimage_file.members"),
        digest("nodeimage_file.module")
    );
    assert_ne!(
        digest("nodeimage_file.each[\"p\"]"),
        digest("nodeimage_file.each[\"q\"]")
    );

    let image = tf.resource("nodeimage_image.node");
    let spec = format!("-var=spec={}", image["spec"].as_str().unwrap());
    let id = format!("-var=id={}", image["id"].as_str().unwrap());
    tf.ok(&["apply", "-auto-approve", &spec, &id]);
    assert_eq!(
        digest("nodeimage_file.own[0]"),
        digest("nodeimage_file.chosen")
    );
    tf.ok(&["plan", "-detailed-exitcode", &spec, &id]);
    // The spec is in the state of its own resource alone.
    let state = world.state();
    for resource in state["resources"].as_array().unwrap() {
        if resource["type"] == "nodeimage_file" {
            let text = resource.to_string();
            assert!(!text.contains("etc/web/web.conf"), "{text}");
        }
    }
}

#[test]
fn what_doesn_t_fit() {
    let world = World::reattached();
    world.lock();
    world.config(IMAGE);
    world.terraform.apply();
    let image = world.terraform.resource("nodeimage_image.node");
    let spec = image["spec"].as_str().unwrap().replace("${", "$${");
    let id = image["id"].as_str().unwrap();
    let wrong = format!("sha256:{}", "0".repeat(64));
    let file = |image: &str| {
        format!(
            "{IMAGE}resource \"nodeimage_file\" \"disk\" {{\n  image = {image}\n  path = \"/nonexistent/x\"\n}}\n"
        )
    };
    for (image, line, words) in [
        (
            "nodeimage_image.node.id".to_owned(),
            "image = nodeimage_image.node.id",
            "object required",
        ),
        (
            format!("{{ id = {wrong:?}, spec = nodeimage_image.node.spec }}"),
            "image = {",
            "Image id and locked spec differ",
        ),
        (
            format!("{{ id = {id:?}, spec = {:?} }}", "{}"),
            "image = {",
            "Invalid locked spec",
        ),
        (
            format!(
                "{{ id = {id:?}, spec = {:?} }}",
                spec.replacen("\"recipe\":1", "\"recipe\":7", 1)
            ),
            "image = {",
            "recipe 7",
        ),
        (
            format!("{{ id = {id:?}, spec = null }}"),
            "image = {",
            "spec",
        ),
        (
            format!("{{ id = {id:?} }}"),
            "image = {",
            "attribute \"spec\" is required",
        ),
        ("null".to_owned(), "image = null", "image"),
    ] {
        world.config(&file(&image));
        let error = world.terraform.fails(&["plan"]);
        assert!(
            error.contains(line) && error.contains(words),
            "{image}: {error}"
        );
    }
}

#[test]
fn ignored_changes() {
    let world = World::reattached();
    world.lock();
    world.config(
        &(IMAGE.to_owned()
            + r#"
resource "nodeimage_file" "disk" {
  image = nodeimage_image.node
  path  = "${abspath(path.root)}/disk.img"
  lifecycle { ignore_changes = [image] }
}
"#),
    );
    let tf = &world.terraform;
    tf.apply();
    let before = fs::metadata(tf.dir().join("disk.img"))
        .unwrap()
        .modified()
        .unwrap();
    world.edit("port = 80", "port = 81");
    let plan = tf.plan("p");
    assert_eq!(
        Terraform::planned(&plan, "nodeimage_image.node").0,
        Action::Update
    );
    assert_eq!(
        Terraform::planned(&plan, "nodeimage_file.disk").0,
        Action::NoOp
    );
    tf.ok(&["apply", "p"]);
    assert_eq!(
        fs::metadata(tf.dir().join("disk.img"))
            .unwrap()
            .modified()
            .unwrap(),
        before
    );
    tf.assert_no_changes();
    // What is gone is made anew, of today's image.
    fs::remove_file(tf.dir().join("disk.img")).unwrap();
    tf.apply();
    assert_eq!(
        tf.resource("nodeimage_file.disk")["disk_digest"],
        tf.resource("nodeimage_image.node")["disk_digest"]
    );
    tf.assert_no_changes();
}
