//! Values of all kinds, and faults in them, with the real Terraform.

mod common;

use common::World;
use serde_json::json;
use tfplugin::testing::{Action, Terraform};

#[test]
fn all_kinds_of_values() {
    let world = World::reattached();
    world.config(
        r#"
resource "toy_thing" "a" {
  name   = "a"
  text   = "é"
  number = 12345678901234567890123
  labels = { b = "2", a = "1" }
  words  = ["x", "y"]
  bag    = ["q", "p", "q"]
  parts  = { left = { size = 1 }, right = { size = 2, colour = "blue" } }
  size   = 5
  act    = "private"
}
"#,
    );
    world.terraform.apply();
    world.terraform.assert_no_changes();
    let state = world.terraform.resource("toy_thing.a");
    assert_eq!(
        state["parts"]["left"],
        json!({"size": 1, "colour": "red", "serial": "serial-left"})
    );
    assert_eq!(state["parts"]["right"]["colour"], "blue");
    assert_eq!(state["place"], "somewhere");
    assert_eq!(state["revision"], 1);
    // The state keeps every digit.
    let text = std::fs::read_to_string(world.terraform.dir().join("terraform.tfstate")).unwrap();
    assert!(text.contains("12345678901234567890123"), "{text}");
    world.terraform.destroy();
}

#[test]
fn kept_computed_defaulted_and_unknown() {
    let world = World::reattached();
    let with = |extra: &str| {
        world.config(&format!(
            "resource \"toy_thing\" \"a\" {{\n  name = \"a\"\n  parts = {{ l = {{ size = 1 }} }}\n{extra}\n}}"
        ));
    };
    with("");
    world.terraform.apply();
    with("text = \"t\"");
    let (action, change) = Terraform::planned(&world.terraform.plan("p"), "toy_thing.a");
    assert_eq!(action, Action::Update);
    assert_eq!(change["after"]["id"], "thing-1", "kept");
    assert_eq!(change["after"]["place"], "somewhere", "kept");
    assert_eq!(change["after"]["parts"]["l"]["serial"], "serial-l", "kept");
    assert_eq!(change["after_unknown"]["revision"], true);
    world.terraform.ok(&["apply", "p"]);
    assert_eq!(world.terraform.resource("toy_thing.a")["revision"], 2);
    with("text = \"t\"\nplace = \"there\"");
    let (_, change) = Terraform::planned(&world.terraform.plan("p"), "toy_thing.a");
    assert_eq!(change["after"]["place"], "there");
    world.terraform.ok(&["apply", "p"]);
    // No longer set: the value stays.
    with("text = \"t\"");
    world.terraform.assert_no_changes();
}

#[test]
fn replacement_on_condition_and_by_the_resource() {
    let world = World::reattached();
    let with = |name: &str, size: u8| {
        world.config(&format!(
            "resource \"toy_thing\" \"a\" {{\n  name = {name:?}\n  size = {size}\n}}"
        ));
        world.terraform.plan("p")
    };
    with("a", 5);
    world.terraform.ok(&["apply", "p"]);
    assert_eq!(
        Terraform::planned(&with("a", 4), "toy_thing.a").0,
        Action::Update
    );
    let (action, change) = Terraform::planned(&with("a", 6), "toy_thing.a");
    assert_eq!(
        (action, &change["replace_paths"]),
        (Action::Replace, &json!([["size"]]))
    );
    let (action, change) = Terraform::planned(&with("replace me", 5), "toy_thing.a");
    assert_eq!(
        (action, &change["replace_paths"]),
        (Action::Replace, &json!([["name"]]))
    );
    world.terraform.ok(&["apply", "p"]);
    assert_eq!(world.terraform.resource("toy_thing.a")["id"], "thing-2");
    // What means the same is no change.
    assert_eq!(
        Terraform::planned(&with("REPLACE me", 5), "toy_thing.a").0,
        Action::NoOp
    );
}

#[test]
fn faults_at_their_places_all_at_once() {
    let world = World::reattached();
    world.config(
        r#"
resource "toy_thing" "a" {
  name   = null
  words  = ["x", null]
  size   = 101
  title  = "old"
  parts  = {
    left = { size = null }
  }
}
resource "toy_thing" "b" {
  name = "b"
  size = 1.5
}
resource "toy_image" "c" {
  config = [
    "fine",
    "syntax error",
    7,
  ]
}
resource "toy_image" "d" { config = 5 }
resource "toy_image" "e" { config = null }
resource "toy_thing" "f" {
  name = "f"
  act  = "three"
}
"#,
    );
    let error = world.terraform.fails(&["validate"]);
    for text in [
        "\"name\" is required",
        "on main.tf line 9, in resource \"toy_thing\" \"a\": 9: name = null",
        "The value must not be null.",
        "\"size\" must be between 1 and 100.",
        "Deprecated attribute",
        "Use `name`.",
        // In the value of `parts`, of which Terraform shows the first line.
        "\"size\" is required",
        "must be a whole number",
        // The very element.
        "line 24, in resource \"toy_image\" \"c\": 24: \"syntax error\",",
        "line 25, in resource \"toy_image\" \"c\": 25: 7,",
        "a document is a string, not a number",
        "config is a string or a list of strings, not a number",
        "\"config\" is required",
        "First",
        "Second",
        "Third",
    ] {
        assert!(error.contains(text), "{text}\n{error}");
    }
}

#[test]
fn wrong_types_are_terraforms_to_tell() {
    let world = World::reattached();
    world.config("resource \"toy_ami\" \"a\" { image = \"x\" }");
    let error = world.terraform.fails(&["validate"]);
    assert!(
        error.contains("Inappropriate value for attribute \"image\""),
        "{error}"
    );
    world.config("resource \"toy_ami\" \"a\" { image = { id = \"x\" } }");
    let error = world.terraform.fails(&["validate"]);
    assert!(error.contains("attribute \"spec\" is required"), "{error}");
    // An explicit null is the framework's to tell.
    world.config("resource \"toy_ami\" \"a\" { image = { id = \"x\", spec = null } }");
    let error = world.terraform.fails(&["validate"]);
    assert!(error.contains("\"spec\" is required"), "{error}");
}

#[test]
fn one_text_or_several() {
    let world = World::reattached();
    let with = |config: &str| {
        world.config(&format!(
            "resource \"terraform_data\" \"late\" {{ input = \"x\" }}\n\
             resource \"toy_image\" \"a\" {{\n  config = {config}\n}}"
        ));
        world.terraform.plan("p")
    };
    with("\"a\\nb\"");
    world.terraform.ok(&["apply", "p"]);
    let id = world.terraform.resource("toy_image.a")["id"].clone();
    for config in [
        "[\"a\", \"b\"]",
        "concat([\"a\"], [\"b\"])",
        "true ? [\"a\", \"b\"] : [\"a\"]",
        "tolist([\"a\", \"b\"])",
        "<<-EOT\n    a\n    b\n  EOT\n",
    ] {
        let planned = with(config);
        let (action, change) = Terraform::planned(&planned, "toy_image.a");
        // The same tuple, or list, once more is no change; one for the other is.
        let same = config.starts_with("concat") || config.starts_with("tolist");
        assert_eq!(
            action,
            if same { Action::NoOp } else { Action::Update },
            "{config}"
        );
        assert_eq!(change["after"]["id"], id, "{config}");
        world.terraform.ok(&["apply", "p"]);
        world.terraform.assert_no_changes();
    }
    for config in [
        "terraform_data.late.id",
        "[\"a\", \"v: ${timestamp()}\"]",
        "timestamp() == \"\" ? [\"a\"] : [\"a\", \"b\"]",
    ] {
        let planned = with(config);
        let (_, change) = Terraform::planned(&planned, "toy_image.a");
        if config.contains("timestamp") {
            assert_eq!(change["after_unknown"]["id"], true, "{config}");
        }
        world.terraform.ok(&["apply", "p"]);
    }
}

#[test]
fn functions() {
    let world = World::reattached();
    world.config(
        r#"
variable "x" { default = "c" }
output "merged" { value = provider::toy::merge("-", "a", "b", var.x) }
output "alone" { value = provider::toy::merge("-") }
output "digest" { value = provider::toy::digest("a") }
output "null" { value = provider::toy::digest(null) == null }
"#,
    );
    world.terraform.apply();
    assert_eq!(world.terraform.output("merged"), "a-b-c");
    assert_eq!(world.terraform.output("alone"), "");
    assert_eq!(world.terraform.output("digest"), common::toy::digest("a"));
    assert_eq!(world.terraform.output("null"), true);
    world.terraform.assert_no_changes();
    world.config("output \"m\" { value = provider::toy::merge(\"-\", \"a\", \"\") }");
    let error = world.terraform.fails(&["plan"]);
    assert!(error.contains("document 2 is empty"), "{error}");
    world.config("output \"m\" { value = provider::toy::merge(\"-\", \"panic\") }");
    let error = world.terraform.fails(&["plan"]);
    assert!(
        error.contains("the provider panicked: bad document"),
        "{error}"
    );
    world.config("output \"m\" { value = provider::toy::merge(\"-\", null) }");
    let error = world.terraform.fails(&["plan"]);
    assert!(error.contains("argument must not be null"), "{error}");
}

#[test]
fn data_sources() {
    let world = World::reattached();
    world.config(
        r#"
resource "toy_thing" "a" { name = "a" }
data "toy_lookup" "early" { name = "none" }
data "toy_lookup" "late" { name = toy_thing.a.id }
output "early" { value = data.toy_lookup.early.content }
output "late" { value = data.toy_lookup.late.content }
"#,
    );
    let planned = world.terraform.plan("p");
    assert_eq!(
        Terraform::planned(&planned, "data.toy_lookup.late").0,
        Action::Read
    );
    world.terraform.ok(&["apply", "p"]);
    assert_eq!(world.terraform.output("early"), "nothing");
    assert_eq!(world.terraform.output("late"), "");
    world.terraform.assert_no_changes();
    for (name, text) in [
        ("error", "there is no `error`"),
        ("panic", "The provider panicked: looked too hard"),
    ] {
        world.config(&format!("data \"toy_lookup\" \"a\" {{ name = {name:?} }}"));
        let error = world.terraform.fails(&["plan"]);
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn write_only_values_are_never_stored() {
    let world = World::reattached();
    world.config(
        r#"
variable "p" {
  ephemeral = true
  default   = "hunter2"
}
resource "toy_thing" "a" {
  name             = "a"
  password         = var.p
  password_version = 1
}
"#,
    );
    world.terraform.plan("p");
    world.terraform.ok(&["apply", "p"]);
    world.terraform.assert_no_changes();
    assert!(
        world.log().contains("password of 7 letters"),
        "{}",
        world.log()
    );
    let state = std::fs::read_to_string(world.terraform.dir().join("terraform.tfstate")).unwrap();
    assert!(!state.contains("hunter2"));
    assert_eq!(
        world.terraform.resource("toy_thing.a")["password"],
        serde_json::Value::Null
    );
}

#[test]
fn provider_configuration_unknown_ephemeral_and_wrong() {
    let world = World::reattached();
    let dir = world.cloud.path().display();
    world.whole_config(&format!(
        r#"
variable "token" {{
  ephemeral = true
  default   = "t"
}}
resource "terraform_data" "dir" {{ input = "{dir}" }}
provider "toy" {{
  dir   = terraform_data.dir.output
  token = var.token
}}
resource "toy_image" "a" {{ config = "a" }}
"#
    ));
    world.terraform.apply();
    world.terraform.assert_no_changes();
    world.whole_config(
        "provider \"toy\" { style = \"odd\" }\nresource \"toy_image\" \"a\" { config = \"a\" }",
    );
    let error = world.terraform.fails(&["validate"]);
    assert!(
        error.contains("must be one of \"plain\", \"fancy\"."),
        "{error}"
    );
}

#[test]
fn warnings_once_and_folded() {
    let world = World::reattached();
    world.config(
        "resource \"toy_image\" \"a\" { config = \"unpinned\" }\n\
         resource \"toy_image\" \"b\" { config = \"unpinned b\" }",
    );
    let output = world.terraform.ok(&["plan"]).flowed();
    assert_eq!(output.matches("Unpinned references").count(), 1, "{output}");
    assert!(
        output.contains("and one more similar warning elsewhere"),
        "{output}"
    );
    world.terraform.apply();
    let output = world.terraform.ok(&["plan"]).flowed();
    assert!(!output.contains("Unpinned references"), "{output}");
}

#[test]
fn a_state_of_an_older_version() {
    let world = World::reattached();
    world.config("resource \"toy_thing\" \"a\" { name = \"a\" }");
    world.terraform.apply();
    let path = world.terraform.dir().join("terraform.tfstate");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut state: serde_json::Value = serde_json::from_str(&text).unwrap();
    let instance = &mut state["resources"][0]["instances"][0];
    instance["schema_version"] = json!(1);
    let attributes = instance["attributes"].as_object_mut().unwrap();
    let name = attributes.remove("name").unwrap();
    attributes.insert("label".to_owned(), name);
    attributes.insert("no_more".to_owned(), json!({"a": [1]}));
    attributes.remove("bag");
    attributes.insert("password".to_owned(), json!("stored by an old client"));
    std::fs::write(&path, state.to_string()).unwrap();
    world.terraform.assert_no_changes();
    let (action, change) = Terraform::planned(&world.terraform.plan("p"), "toy_thing.a");
    assert_eq!(action, Action::NoOp, "{change}");
    let shown = change["before"]["password"].clone();
    assert_eq!(shown, serde_json::Value::Null);
}

#[test]
fn the_schema_as_terraform_reads_it() {
    let world = World::reattached();
    world.config("");
    let text = world.terraform.ok(&["providers", "schema", "-json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let toy = &json["provider_schemas"][common::ADDRESS];
    let thing = &toy["resource_schemas"]["toy_thing"];
    assert_eq!(thing["version"], 2);
    let attributes = &thing["block"]["attributes"];
    assert_eq!(attributes["name"]["required"], true);
    assert_eq!(attributes["name"]["description_kind"], "markdown");
    assert_eq!(attributes["title"]["deprecated"], true);
    assert_eq!(attributes["password"]["write_only"], true);
    assert_eq!(attributes["bag"]["type"], json!(["set", "string"]));
    assert_eq!(attributes["parts"]["nested_type"]["nesting_mode"], "map");
    let colour = &attributes["parts"]["nested_type"]["attributes"]["colour"];
    assert_eq!(
        (&colour["optional"], &colour["computed"]),
        (&json!(true), &json!(true))
    );
    let token = &toy["provider"]["block"]["attributes"]["token"];
    assert_eq!(token["sensitive"], true);
    let style = &toy["provider"]["block"]["attributes"]["style"];
    assert_eq!(style["computed"], serde_json::Value::Null);
    let merge = &toy["functions"]["merge"];
    assert_eq!(merge["variadic_parameter"]["name"], "docs");
    assert_eq!(merge["return_type"], "string");
}
