//! What references stand for: with a lock, without one, and when it moves.

use std::fs;

use acceptance_tests::fixture::MACHINE;
use tfplugin::testing::{Action, Terraform};

use crate::world::{Counter, IMAGE, UNLOCKED, World};

const WARNING: &str = "Image references are not pinned";

fn digest(world: &World, reference: &str) -> String {
    let images = world.terraform.resource("nodeimage_image.node")["images"].clone();
    images[reference].as_str().unwrap().to_owned()
}

/// No source has anything any more, and nobody may ask.
fn cut_off(world: &World, body: &str) {
    fs::rename(world.path("layout"), world.path("gone")).unwrap();
    if world.store().exists() {
        fs::remove_dir_all(world.store()).unwrap();
    }
    world.whole(&(world.provider("oci:/nonexistent", "  offline = true") + body));
}

#[test]
fn without_a_lock_apply_resolves_and_keeps() {
    let world = World::reattached();
    let tf = &world.terraform;
    world.config(UNLOCKED);
    let output = tf.ok(&["plan", "-out=p"]);
    assert_eq!(
        output.stdout.matches(WARNING).count(),
        1,
        "{}",
        output.stdout
    );
    let text = output.flowed();
    assert!(
        text.contains("fixture.example/web:1") && text.contains("nodeimage lock"),
        "{text}"
    );
    let (_, told) = text.split_once(WARNING).unwrap();
    assert!(!told.contains("builtin:"), "{told}");
    let (_, change) = Terraform::planned(&tf.show(&["p"]), "nodeimage_image.node");
    for name in ["id", "spec", "images", "disk_digest", "disk_size"] {
        assert_eq!(change["after_unknown"][name], true, "{name}");
    }
    tf.ok(&["apply", "p"]);
    let (id, web) = (world.id(), digest(&world, "fixture.example/web:1"));

    // From now on the state has them: another tag, no registry.
    world.add_image("fixture.example/web:1", b"newer");
    tf.assert_no_changes();
    cut_off(&world, UNLOCKED);
    tf.assert_no_changes();
    assert!(!tf.ok(&["plan"]).stdout.contains(WARNING));
    world.edit("port = 80", "port = 81 # ");
    let (action, change) = Terraform::planned(&tf.plan("p"), "nodeimage_image.node");
    assert_eq!(action, Action::Update);
    assert_ne!(change["after"]["id"], id, "known offline");
    assert_eq!(change["after"]["images"]["fixture.example/web:1"], web);
    assert!(!world.store().exists(), "a plan touches no store");
}

#[test]
fn a_new_reference_is_the_only_one_resolved() {
    let world = World::reattached();
    let tf = &world.terraform;
    world.config(UNLOCKED);
    tf.apply();
    let web = digest(&world, "fixture.example/web:1");
    world.add_image("fixture.example/web:1", b"newer");
    world.add_image("fixture.example/more:1", b"more");
    world.edit(
        "services:\n",
        "services:\n  - name: more\n    image: fixture.example/more:1\n",
    );
    let output = tf.ok(&["plan", "-out=p"]).flowed();
    assert!(output.contains("fixture.example/more:1."), "{output}");
    assert!(
        !output.contains("replacement: fixture.example/web"),
        "{output}"
    );
    tf.ok(&["apply", "p"]);
    assert_eq!(digest(&world, "fixture.example/web:1"), web);
    digest(&world, "fixture.example/more:1");
    tf.assert_no_changes();

    // The gesture to move all of them.
    world.config(&UNLOCKED.replace("config ", "relock = \"2026-12\"\n  config "));
    let output = tf.ok(&["plan", "-out=p"]);
    assert!(output.stdout.contains(WARNING));
    tf.ok(&["apply", "p"]);
    assert_ne!(digest(&world, "fixture.example/web:1"), web);
    tf.assert_no_changes();
    // Nothing has moved since: unknown, and then the same.
    let id = world.id();
    world.config(&UNLOCKED.replace("config ", "relock = \"2027-01\"\n  config "));
    tf.apply();
    assert_eq!(world.id(), id);
}

#[test]
fn a_lock_decides_over_what_the_state_has() {
    let world = World::reattached();
    let tf = &world.terraform;
    world.config(UNLOCKED);
    tf.apply();
    let (id, web) = (world.id(), digest(&world, "fixture.example/web:1"));
    // The same digests: nothing moves.
    world.lock();
    world.config(IMAGE);
    let (action, change) = Terraform::planned(&tf.plan("p"), "nodeimage_image.node");
    assert_eq!(action, Action::Update);
    assert_eq!(change["after"]["id"], id);
    tf.ok(&["apply", "p"]);
    world.add_image("fixture.example/web:1", b"newer");
    tf.assert_no_changes();
    world.lock();
    let (_, change) = Terraform::planned(&tf.plan("p"), "nodeimage_image.node");
    assert_ne!(change["after"]["id"], id, "known");
    assert_ne!(change["after"]["images"]["fixture.example/web:1"], web);
    tf.ok(&["apply", "p"]);
    tf.assert_no_changes();
}

#[test]
fn a_lock_that_lacks_one() {
    let world = World::reattached();
    world.lock();
    world.add_image("fixture.example/more:1", b"more");
    world.edit(
        "services:\n",
        "services:\n  - name: more\n    image: fixture.example/more:1\n",
    );
    world.config(IMAGE);
    let output = world.terraform.ok(&["plan", "-out=p"]).flowed();
    assert!(
        output.contains("replacement: fixture.example/more:1."),
        "{output}"
    );
    world.terraform.ok(&["apply", "p"]);
    world.terraform.assert_no_changes();
}

#[test]
fn a_plan_asks_nobody() {
    let world = World::spawned();
    world.lock();
    let counter = Counter::start();
    let provider = world.provider(&counter.mirror(), "");
    let provider = provider.replace(
        &format!("builtin = \"{}\"", counter.mirror()),
        "builtin = \"oci:/nonexistent\"",
    );
    let user = "\nresource \"nodeimage_file\" \"disk\" {\n  image = nodeimage_image.node\n  path = \"disk.img\"\n}\n";
    world.whole(&(provider.clone() + IMAGE + user));
    world.terraform.ok(&["validate"]);
    world.terraform.ok(&["plan", "-out=p"]);
    world.whole(&(provider.clone() + UNLOCKED + user));
    world.terraform.ok(&["validate"]);
    world.terraform.ok(&["plan", "-out=p"]);
    assert_eq!(counter.seen(), 0);
    assert!(!world.store().exists());
    assert!(!world.path("home").exists());

    // The counter counts.
    world.whole(
        &(provider + "data \"nodeimage_latest\" \"node\" {\n  config = file(\"node.yml\")\n}\n"),
    );
    let child = world.terraform.spawn(&["plan"]);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while counter.seen() == 0 && std::time::Instant::now() < end {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(counter.seen() > 0);
    // It waits for an answer that never comes.
    crate::processes::interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success());
}

#[test]
fn the_latest_as_a_lock() {
    let world = World::reattached();
    let tf = &world.terraform;
    let body = r#"
data "nodeimage_latest" "node" {
  config = file("${path.module}/node.yml")
}
resource "nodeimage_image" "node" {
  config = file("${path.module}/node.yml")
  lock   = data.nodeimage_latest.node.lock
}
output "lock" { value = data.nodeimage_latest.node.lock }
"#;
    world.config(body);
    let output = tf.ok(&["plan", "-out=p"]);
    assert!(!output.stdout.contains(WARNING));
    let (_, change) = Terraform::planned(&tf.show(&["p"]), "nodeimage_image.node");
    assert!(change["after"]["id"].is_string(), "known");
    tf.ok(&["apply", "p"]);
    assert_eq!(
        tf.output("lock"),
        world.lock_of(MACHINE),
        "the text of the command line"
    );
    tf.assert_no_changes();
    let id = world.id();
    world.add_image("fixture.example/web:1", b"newer");
    let (action, change) = Terraform::planned(&tf.plan("p"), "nodeimage_image.node");
    assert_eq!(action, Action::Update);
    assert_ne!(change["after"]["id"], id);
    tf.ok(&["apply", "p"]);

    world.config(&body.replace(
        "node\" {\n  config",
        "node\" {\n  architectures = [\"amd64\", \"z80\"]\n  config",
    ).replacen("architectures = [\"amd64\", \"z80\"]\n  config = file(\"${path.module}/node.yml\")\n  lock", "config = file(\"${path.module}/node.yml\")\n  lock", 1));
    let error = tf.fails(&["plan"]);
    assert!(error.contains("unknown architecture `z80`"), "{error}");
    world.config(&body.replacen(
        "node\" {\n  config",
        "node\" {\n  architectures = []\n  config",
        1,
    ));
    let error = tf.fails(&["plan"]);
    assert!(error.contains("Name at least one"), "{error}");
    world.config(body);
    world.edit("fixture.example/web:1", "fixture.example/absent:1");
    let error = tf.fails(&["plan"]);
    assert!(error.contains("fixture.example/absent:1"), "{error}");
}
