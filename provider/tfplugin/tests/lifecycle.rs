//! Resources from creation to deletion, with the real Terraform.

mod common;

use common::World;
use serde_json::{Value as Json, json};
use tfplugin::testing::{Action, Terraform};

const FAMILY: &str = r#"
variable "text" { default = "one" }
variable "name" { default = null }
variable "keep" { default = 1 }
resource "toy_image" "node" { config = var.text }
resource "toy_ami" "node" {
  image         = toy_image.node
  name          = var.name
  keep_previous = var.keep
}
resource "terraform_data" "user" { input = toy_ami.node.id }
output "ami" { value = toy_ami.node.id }
"#;

fn apply(world: &World, variables: &[&str]) {
    let arguments: Vec<String> = variables.iter().map(|v| format!("-var={v}")).collect();
    let mut all = vec!["apply", "-auto-approve"];
    all.extend(arguments.iter().map(String::as_str));
    world.terraform.ok(&all);
}

fn plan(world: &World, variables: &[&str]) -> Json {
    let arguments: Vec<String> = variables.iter().map(|v| format!("-var={v}")).collect();
    let mut all = vec!["plan", "-out=plan"];
    all.extend(arguments.iter().map(String::as_str));
    world.terraform.ok(&all);
    world.terraform.show(&["plan"])
}

#[test]
fn a_family_changes_in_place_and_goes_back() {
    let world = World::reattached();
    world.config(FAMILY);
    apply(&world, &[]);
    world.terraform.assert_no_changes();
    let first = world.terraform.resource("toy_ami.node");
    assert_eq!(first["id"], "ami-1");
    // Write-only: never in this resource's state.
    assert_eq!(first["image"]["spec"], Json::Null);
    assert_eq!(first["region"], "eu");

    // The new image's id is known, the new AMI's is not, `previous` is.
    let planned = plan(&world, &["text=two"]);
    let (action, change) = Terraform::planned(&planned, "toy_ami.node");
    assert_eq!(action, Action::Update);
    assert_eq!(change["after_unknown"]["id"], true);
    assert_eq!(change["after"]["previous"][0]["id"], "ami-1");
    assert_eq!(change["after"]["first"], "ami-1", "kept");
    assert_eq!(change["after"]["image"]["spec"], Json::Null);
    // In another process, from the saved plan.
    world.terraform.ok(&["apply", "plan"]);
    assert_eq!(world.terraform.output("ami"), "ami-2");
    assert_eq!(
        world.terraform.resource("terraform_data.user")["output"],
        "ami-2"
    );

    // Going back uploads nothing, and the id is known.
    let planned = plan(&world, &["text=one"]);
    let (_, change) = Terraform::planned(&planned, "toy_ami.node");
    assert_eq!(change["after"]["id"], "ami-1");
    let (_, change) = Terraform::planned(&planned, "terraform_data.user");
    assert_eq!(change["after"]["input"], "ami-1");
    world.terraform.ok(&["apply", "plan"]);
    assert_eq!(world.log(), "register ami-1\nregister ami-2\n");

    apply(&world, &["text=three"]);
    assert!(
        world.log().ends_with("register ami-3\nderegister ami-2\n"),
        "{}",
        world.log()
    );
    // Only the number of old ones changes: the plan shows which one goes.
    let planned = plan(&world, &["text=three", "keep=0"]);
    let (_, change) = Terraform::planned(&planned, "toy_ami.node");
    assert_eq!(change["after"]["previous"], json!([]));
    assert_eq!(change["after"]["id"], "ami-3");
    world.terraform.ok(&["apply", "plan"]);
    assert!(
        world.log().ends_with("deregister ami-1\n"),
        "{}",
        world.log()
    );
    world.terraform.destroy();
    assert!(!world.object("ami-3").exists());
}

#[test]
fn a_failed_update_keeps_the_old_state() {
    let world = World::reattached();
    world.config(FAMILY);
    apply(&world, &[]);
    let before = world.terraform.resource("toy_ami.node");
    let error =
        world
            .terraform
            .fails(&["apply", "-auto-approve", "-var=text=two", "-var=name=fail"]);
    assert!(error.contains("Upload failed"), "{error}");
    let after = world.terraform.resource_in_state("toy_ami.node");
    assert_eq!(after["values"], before);
    assert_ne!(after["tainted"], true);
    // Back to what it was: nothing to do but for the image itself.
    let (action, _) = Terraform::planned(&plan(&world, &[]), "toy_ami.node");
    assert_eq!(action, Action::NoOp);
    apply(&world, &["text=two"]);
    assert_eq!(world.terraform.output("ami"), "ami-2");
}

#[test]
fn replaced_by_attribute_and_by_hand() {
    let world = World::reattached();
    world.config(FAMILY);
    apply(&world, &[]);
    let planned = world.terraform;
    planned.ok(&["plan", "-out=p", "-replace=toy_ami.node"]);
    let json = planned.show(&["p"]);
    assert_eq!(Terraform::planned(&json, "toy_ami.node").0, Action::Replace);
    planned.ok(&["apply", "p"]);
    planned.assert_no_changes();
    let config = std::fs::read_to_string(planned.dir().join("main.tf")).unwrap();
    planned.write(
        "main.tf",
        config.replace("keep_previous = var.keep", "region = \"us\""),
    );
    let json = planned.plan("p");
    let (action, change) = Terraform::planned(&json, "toy_ami.node");
    assert_eq!(action, Action::Replace);
    assert_eq!(change["replace_paths"], json!([["region"]]));
    planned.ok(&["apply", "p"]);
    planned.assert_no_changes();
    // An unknown value may be another one: it is replaced, and ends up the same.
    let unknown = "region = timestamp() == \"\" ? \"eu\" : \"us\"";
    planned.write(
        "main.tf",
        config.replace("keep_previous = var.keep", unknown),
    );
    let json = planned.plan("p");
    assert_eq!(Terraform::planned(&json, "toy_ami.node").0, Action::Replace);
    planned.ok(&["apply", "p"]);
}

#[test]
fn drift_is_seen_and_an_old_one_promoted() {
    let world = World::reattached();
    world.config(FAMILY);
    apply(&world, &[]);
    apply(&world, &["text=two"]);
    std::fs::remove_file(world.object("ami-2")).unwrap();
    let planned = plan(&world, &["text=two"]);
    let (action, change) = Terraform::planned(&planned, "toy_ami.node");
    assert_eq!(action, Action::Update);
    assert_eq!(change["before"]["id"], "ami-1");
    world.terraform.ok(&["apply", "plan"]);
    std::fs::remove_file(world.object("ami-3")).unwrap();
    std::fs::remove_file(world.object("ami-1")).unwrap();
    let (action, _) = Terraform::planned(&plan(&world, &["text=two"]), "toy_ami.node");
    assert_eq!(action, Action::Create);
}

#[test]
fn import_then_nothing_to_do() {
    let world = World::reattached();
    world.config(FAMILY);
    apply(&world, &[]);
    let fresh = world.terraform.assert_import("toy_ami.node", "ami-1", &[]);
    fresh.ok(&["plan", "-out=p"]);
    assert_eq!(
        Terraform::planned(&fresh.show(&["p"]), "toy_ami.node").0,
        Action::NoOp
    );
    let error = fresh.fails(&["import", "toy_image.node", "x"]);
    assert!(error.contains("can't be imported"), "{error}");
    let config = std::fs::read_to_string(fresh.dir().join("main.tf")).unwrap();
    let other = "\nresource \"toy_ami\" \"other\" { image = toy_image.node }\n";
    fresh.write("main.tf", config + other);
    let error = fresh.fails(&["import", "toy_ami.other", "ami-99"]);
    assert!(
        error.contains("Cannot import non-existent remote object"),
        "{error}"
    );
}

#[test]
fn import_blocks() {
    let world = World::reattached();
    world.config(FAMILY);
    apply(&world, &[]);
    world.terraform.ok(&["state", "rm", "toy_ami.node"]);
    let config = std::fs::read_to_string(world.terraform.dir().join("main.tf")).unwrap();
    let block = "\nimport {\n  to = toy_ami.node\n  id = \"ami-1\"\n}\n";
    world.terraform.write("main.tf", config + block);
    let planned = world.terraform.plan("p");
    let (action, change) = Terraform::planned(&planned, "toy_ami.node");
    assert_eq!(action, Action::NoOp, "{change}");
    assert_eq!(change["importing"]["id"], "ami-1");
    world.terraform.ok(&["apply", "p"]);
    world.terraform.assert_no_changes();
    assert_eq!(world.log(), "register ami-1\n");
}

#[test]
fn ignored_changes_leave_no_spec_and_need_none() {
    let world = World::reattached();
    let ignoring = FAMILY.replace(
        "keep_previous = var.keep",
        "lifecycle { ignore_changes = [image] }",
    );
    world.config(&ignoring);
    apply(&world, &[]);
    apply(&world, &["text=two", "name=label"]);
    let state = world.terraform.resource("toy_ami.node");
    assert_eq!(state["name"], "label");
    assert_eq!(state["id"], "ami-1");
}

#[test]
fn unknown_ids_until_apply() {
    let world = World::reattached();
    world.config(FAMILY);
    let planned = plan(&world, &["text=unpinned a"]);
    let (_, change) = Terraform::planned(&planned, "toy_ami.node");
    assert_eq!(change["after_unknown"]["id"], true);
    assert_eq!(change["after_unknown"]["image"]["id"], true);
    world.terraform.ok(&["apply", "plan"]);
    assert_eq!(world.terraform.output("ami"), "ami-1");
    // The same once more: the image is known again, nothing moves.
    world
        .terraform
        .ok(&["plan", "-detailed-exitcode", "-var=text=unpinned a"]);
    // Planned as a change, it ends up the same: nothing is uploaded.
    apply(&world, &["text=unpinned a\n#"]);
    assert_eq!(world.log(), "register ami-1\n");
}

#[test]
fn a_comment_changes_nothing_downstream() {
    let world = World::reattached();
    world.config(FAMILY);
    apply(&world, &[]);
    let planned = plan(&world, &["text=one\n# said differently"]);
    assert_eq!(
        Terraform::planned(&planned, "toy_image.node").0,
        Action::Update
    );
    assert_eq!(Terraform::planned(&planned, "toy_ami.node").0, Action::NoOp);
    assert_eq!(
        Terraform::planned(&planned, "terraform_data.user").0,
        Action::NoOp
    );
    world.terraform.ok(&["apply", "plan"]);
}

#[test]
fn conditions_and_loops_over_whole_images() {
    let world = World::reattached();
    world.config(
        r#"
resource "terraform_data" "late" { input = "x" }
resource "toy_image" "a" { config = "a" }
resource "toy_image" "b" {
  for_each = toset(["p", "q"])
  config   = each.key
}
resource "toy_ami" "chosen" { image = terraform_data.late.output == "x" ? toy_image.a : toy_image.b["p"] }
resource "toy_ami" "each" {
  for_each = toy_image.b
  image    = each.value
}
variable "spec" {
  ephemeral = true
  default   = "secret spec"
}
resource "toy_ami" "own" {
  image = { id = "fnv:1c9c84b4fbd1fc75", spec = var.spec }
}
"#,
    );
    let error = world.terraform.fails(&["plan"]);
    assert!(error.contains("Image doesn't match"), "{error}");
    let right = common::toy::digest("secret spec");
    let config = std::fs::read_to_string(world.terraform.dir().join("main.tf")).unwrap();
    world
        .terraform
        .write("main.tf", config.replace("fnv:1c9c84b4fbd1fc75", &right));
    world.terraform.plan("p");
    world.terraform.ok(&["apply", "p"]);
    world.terraform.assert_no_changes();
    let state = std::fs::read_to_string(world.terraform.dir().join("terraform.tfstate")).unwrap();
    assert!(!state.contains("secret spec"));
}
