//! `nodeimage_image` from creation to deletion.

use serde_json::{Value as Json, json};
use tfplugin::testing::{Action, Terraform};

use crate::world::{IMAGE, UNLOCKED, World};

const USER: &str = r#"
resource "terraform_data" "user" {
  triggers_replace = nodeimage_image.node.id
}
"#;

#[test]
fn its_id_is_known_when_planning() {
    let world = World::reattached();
    world.lock();
    world.config(&(IMAGE.to_owned() + USER));
    let tf = &world.terraform;
    let plan = tf.plan("p");
    let (action, change) = Terraform::planned(&plan, "nodeimage_image.node");
    assert_eq!(action, Action::Create);
    let id = change["after"]["id"].clone();
    assert!(id.as_str().unwrap().starts_with("sha256:"), "{id}");
    assert_eq!(change["after_unknown"]["disk_digest"], true);
    assert_eq!(change["after"]["architecture"], "amd64");
    let (_, user) = Terraform::planned(&plan, "terraform_data.user");
    assert_eq!(user["after"]["triggers_replace"], id);
    tf.ok(&["apply", "p"]);
    assert_eq!(world.id(), id.as_str().unwrap());
    let first = tf.resource("nodeimage_image.node");
    assert_eq!(first["disk_size"], 1_u64 << 30);
    assert_eq!(first["images"].as_object().unwrap().len(), 4);
    tf.assert_no_changes();

    // One line.
    world.edit("port = 80", "port = 81");
    let plan = tf.plan("p");
    let (action, change) = Terraform::planned(&plan, "nodeimage_image.node");
    assert_eq!(action, Action::Update);
    assert_ne!(change["after"]["id"], id);
    assert_eq!(change["after_unknown"]["disk_digest"], true);
    assert_eq!(
        Terraform::planned(&plan, "terraform_data.user").0,
        Action::Replace
    );
    tf.ok(&["apply", "p"]);
    let second = tf.resource("nodeimage_image.node");
    assert_ne!(second["disk_digest"], first["disk_digest"]);
    tf.assert_no_changes();
    tf.destroy();
}

#[test]
fn spelled_differently_it_is_the_same() {
    let world = World::reattached();
    world.lock();
    world.config(&(IMAGE.to_owned() + USER));
    let tf = &world.terraform;
    tf.apply();
    let id = world.id();
    world.edit(
        "  - name: web\n    image: fixture.example/web:1\n    net: host\n",
        "  # The web server.\n  - image: 'fixture.example/web:1'\n    \"name\": web\n    net: \"host\"\n",
    );
    let plan = tf.plan("p");
    let (action, change) = Terraform::planned(&plan, "nodeimage_image.node");
    assert_eq!(action, Action::Update);
    assert_eq!(change["after"]["id"], id);
    assert_eq!(change["after_unknown"], json!({}));
    assert_eq!(
        Terraform::planned(&plan, "terraform_data.user").0,
        Action::NoOp
    );
    // Nothing is built, so nothing is needed.
    std::fs::remove_dir_all(world.store()).unwrap();
    tf.ok(&["apply", "p"]);
    assert!(!world.store().exists());
    assert_eq!(world.id(), id);
    tf.assert_no_changes();
}

#[test]
fn one_text_and_lists_of_it_are_the_same_image() {
    let world = World::reattached();
    world.lock();
    let yaml = std::fs::read_to_string(world.terraform.dir().join("node.yml")).unwrap();
    let (head, services) = yaml.split_once("services:").unwrap();
    world.terraform.write("a.yml", head);
    world
        .terraform
        .write("b.yml", format!("services:{services}"));
    let of = |name: &str, config: &str| {
        format!(
            "resource \"nodeimage_image\" \"{name}\" {{\n  config = {config}\n  lock = file(\"node.lock\")\n}}\n"
        )
    };
    let both = r#"[for name in ["a", "b"] : file("${name}.yml")]"#;
    let all = [
        of("node", "file(\"node.yml\")"),
        of("one", "[file(\"node.yml\")]"),
        of("two", "[file(\"a.yml\"), file(\"b.yml\")]"),
        of("loop", both),
        of(
            "choice",
            "true ? [file(\"node.yml\")] : [file(\"a.yml\"), file(\"b.yml\")]",
        ),
        of(
            "concat",
            "concat([file(\"a.yml\")], tolist([file(\"b.yml\")]))",
        ),
        of(
            "indented",
            "[<<-EOT\n${file(\"a.yml\")}\n    EOT\n    , file(\"b.yml\")]",
        ),
    ];
    world.config(&all.concat());
    world.terraform.apply();
    let id = world.id();
    for name in ["one", "two", "loop", "choice", "concat", "indented"] {
        let address = format!("nodeimage_image.{name}");
        assert_eq!(world.terraform.resource(&address)["id"], id, "{name}");
    }
    world.terraform.assert_no_changes();
    // From a list to a text in place.
    world.config(
        &all.concat()
            .replace("[file(\"node.yml\")]\n", "file(\"node.yml\")\n"),
    );
    let plan = world.terraform.plan("p");
    let (action, change) = Terraform::planned(&plan, "nodeimage_image.one");
    assert_eq!(action, Action::Update);
    assert_eq!(change["after"]["id"], id);
    world.terraform.ok(&["apply", "p"]);
    world.terraform.assert_no_changes();
}

#[test]
fn a_source_that_changes_is_another_image() {
    let world = World::reattached();
    world.lock();
    world.edit("contents: \"port = 80\\n\"", "source: web.conf");
    world.terraform.write("web.conf", "port = 80\n");
    let base = format!("\n  base_dir = {:?}\n  lock ", world.terraform.dir());
    world.config(&IMAGE.replacen("\n  lock ", &base, 1));
    let tf = &world.terraform;
    tf.apply();
    let first = tf.resource("nodeimage_image.node");
    assert!(
        !first["spec"]
            .as_str()
            .unwrap()
            .contains("web.conf\",\"source")
    );
    tf.assert_no_changes();
    // Terraform sees no change of the configuration.
    tf.write("web.conf", "port = 81\n");
    let plan = tf.plan("p");
    let (action, change) = Terraform::planned(&plan, "nodeimage_image.node");
    assert_eq!(action, Action::Update);
    assert_ne!(change["after"]["id"], first["id"]);
    assert_eq!(change["after_unknown"]["disk_digest"], true);
    tf.ok(&["apply", "p"]);
    assert_ne!(
        tf.resource("nodeimage_image.node")["disk_digest"],
        first["disk_digest"]
    );
    tf.assert_no_changes();
    std::fs::remove_file(tf.dir().join("web.conf")).unwrap();
    let error = tf.fails(&["plan"]);
    assert!(error.contains("can't read `web.conf`"), "{error}");
}

#[test]
fn explicit_nulls_are_nothing() {
    let world = World::reattached();
    world.lock();
    world.config(IMAGE);
    world.terraform.apply();
    let id = world.id();
    let nulls =
        "\n  architecture = null\n  base_dir = null\n  relock = null\n  disk = null\n  lock ";
    world.config(&IMAGE.replacen("\n  lock ", nulls, 1));
    world.terraform.assert_no_changes();
    let defaults = "\n  architecture = \"amd64\"\n  disk = { size = null, firmware = \"hybrid\", \
                    codec = \"auto\", min_memory = 1024, cmdline = null }\n  lock ";
    world.config(&IMAGE.replacen("\n  lock ", defaults, 1));
    let plan = world.terraform.plan("p");
    let (action, change) = Terraform::planned(&plan, "nodeimage_image.node");
    assert_eq!(action, Action::Update, "the attribute is new");
    assert_eq!(change["after"]["id"], id, "the image is not");
    world.terraform.ok(&["apply", "p"]);
    world.terraform.assert_no_changes();
    world.config("resource \"nodeimage_image\" \"node\" {\n  config = null\n}\n");
    let error = world.terraform.fails(&["plan"]);
    assert!(error.contains("config = null"), "{error}");
}

#[test]
fn another_architecture_has_other_digests() {
    let world = World::reattached();
    // A second platform in every image: the same layers say that they are for riscv64.
    add_platform(&world.path("layout"), "riscv64");
    world.config(UNLOCKED);
    let tf = &world.terraform;
    tf.apply();
    let amd64 = tf.resource("nodeimage_image.node");
    world.config(&UNLOCKED.replace("config ", "architecture = \"riscv64\"\n  config "));
    let plan = tf.plan("p");
    let (action, change) = Terraform::planned(&plan, "nodeimage_image.node");
    assert_eq!(action, Action::Update);
    assert_eq!(
        change["after_unknown"]["id"], true,
        "digests of amd64 don't serve"
    );
    tf.ok(&["apply", "p"]);
    let riscv64 = tf.resource("nodeimage_image.node");
    assert_ne!(riscv64["images"], amd64["images"]);
    assert_eq!(
        riscv64["disk_digest"],
        Json::Null,
        "there is no way to start it"
    );
    tf.assert_no_changes();
}

#[test]
fn without_a_kernel_there_is_no_disk() {
    let world = World::reattached();
    world.edit(
        "kernel:\n  image: fixture.example/kernel:1\n  cmdline: \"console=ttyS0 quiet\"\n",
        "",
    );
    world.lock();
    world.config(IMAGE);
    world.terraform.apply();
    let state = world.terraform.resource("nodeimage_image.node");
    assert_eq!(state["disk_digest"], Json::Null);
    assert_eq!(state["disk_size"], Json::Null);
    world.terraform.assert_no_changes();
}

#[test]
fn more_than_four_mebibytes() {
    let world = World::reattached();
    let long = "0123456789abcde\n".repeat(5 << 16);
    assert!(long.len() > 4 << 20);
    world.edit("port = 80\\n", &long.replace('\n', "\\n"));
    world.lock();
    world.config(IMAGE);
    world.terraform.apply();
    let spec = world.terraform.resource("nodeimage_image.node")["spec"].clone();
    assert!(spec.as_str().unwrap().len() > 4 << 20);
    world.terraform.assert_no_changes();
}

#[test]
fn replaced_by_hand_nothing_moves() {
    let world = World::reattached();
    world.lock();
    world.config(&(IMAGE.to_owned() + USER));
    world.terraform.apply();
    let id = world.id();
    world
        .terraform
        .ok(&["plan", "-out=p", "-replace=nodeimage_image.node"]);
    let plan = world.terraform.show(&["p"]);
    let (action, change) = Terraform::planned(&plan, "nodeimage_image.node");
    assert_eq!(action, Action::Replace);
    assert_eq!(change["after"]["id"], id);
    assert_eq!(
        Terraform::planned(&plan, "terraform_data.user").0,
        Action::NoOp
    );
    world.terraform.ok(&["apply", "p"]);
    world.terraform.assert_no_changes();
}

#[test]
fn it_can_t_be_imported() {
    let world = World::reattached();
    world.lock();
    world.config(IMAGE);
    let error = world
        .terraform
        .fails(&["import", "nodeimage_image.node", "sha256:0"]);
    assert!(error.contains("there is nothing to import"), "{error}");
    assert!(
        error.contains("Write the resource, and apply it"),
        "{error}"
    );
}

/// Gives every image of a layout a second platform.
fn add_platform(layout: &std::path::Path, architecture: &str) {
    let blob = |digest: &Json| {
        let hex = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
        layout.join("blobs/sha256").join(hex)
    };
    let read = |path: std::path::PathBuf| -> Json {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let put = |value: &Json| {
        let text = value.to_string();
        let digest = json!(nodeimage_spec::Digest::of(text.as_bytes()).to_string());
        std::fs::write(blob(&digest), &text).unwrap();
        (digest, text.len())
    };
    let mut index = read(layout.join("index.json"));
    for entry in index["manifests"].as_array_mut().unwrap() {
        let mut manifest = read(blob(&entry["digest"]));
        let mut config = read(blob(&manifest["config"]["digest"]));
        config["architecture"] = json!(architecture);
        let (digest, size) = put(&config);
        manifest["config"]["digest"] = digest;
        manifest["config"]["size"] = json!(size);
        let (digest, size) = put(&manifest);
        let mut first = entry.clone();
        first.as_object_mut().unwrap().remove("annotations");
        first["platform"] = json!({"os": "linux", "architecture": "amd64"});
        let mut second = first.clone();
        second["digest"] = digest;
        second["size"] = json!(size);
        second["platform"]["architecture"] = json!(architecture);
        let kind = "application/vnd.oci.image.index.v1+json";
        let (digest, size) = put(&json!({
            "schemaVersion": 2, "mediaType": kind, "manifests": [first, second],
        }));
        entry["mediaType"] = json!(kind);
        entry["digest"] = digest;
        entry["size"] = json!(size);
    }
    std::fs::write(layout.join("index.json"), index.to_string()).unwrap();
}
