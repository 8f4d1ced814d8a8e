//! What a plan says of an image whose content changes.

use std::fs;

use tfplugin::testing::Terraform;

use crate::world::{IMAGE, UNLOCKED, World};

const CHANGES: &str = "The content of the image changes";
const SECRET: &str = "port = 80";

#[test]
fn a_lock_that_moved_is_told_reference_by_reference() {
    let world = World::reattached();
    let tf = &world.terraform;
    world.lock();
    world.config(IMAGE);
    assert!(
        !tf.ok(&["plan"]).stdout.contains(CHANGES),
        "nothing was there"
    );
    tf.apply();
    tf.assert_no_changes();
    assert!(!tf.ok(&["plan"]).stdout.contains(CHANGES));

    world.add_image("fixture.example/web:1", b"newer");
    world.lock();
    let output = tf.ok(&["plan", "-out=p"]);
    assert_eq!(
        output.stdout.matches(CHANGES).count(),
        1,
        "{}",
        output.stdout
    );
    let text = output.flowed();
    let (_, told) = text.split_once(CHANGES).unwrap();
    assert!(told.contains("~ fixture.example/web:1 sha256:"), "{told}");
    assert!(
        !told.contains("fixture.example/tools"),
        "it did not move: {told}"
    );
    // The newer image's layers are in no store that the provider uses.
    assert!(
        told.contains("not in the store: fixture.example/web:1"),
        "{told}"
    );
    let (_, change) = Terraform::planned(&tf.show(&["p"]), "nodeimage_image.node");
    assert!(change["after"]["id"].is_string(), "known");
    tf.ok(&["apply", "p"]);
    assert!(!tf.ok(&["plan"]).stdout.contains(CHANGES));

    // Back again: both trees are in the store, so the files are told.
    world.edit(SECRET, "port = 81 # secret");
    let text = tf.ok(&["plan", "-out=p"]).flowed();
    let (_, told) = text.split_once(CHANGES).unwrap();
    assert!(told.contains("~ files etc/web/web.conf contents"), "{told}");
    assert!(
        told.contains("files: 0 added, 0 removed, 1 changed"),
        "{told}"
    );
    assert!(
        !told.contains("port = 81"),
        "contents may be secret: {told}"
    );

    // The same plan without a store, which it does not make.
    fs::remove_dir_all(world.store()).unwrap();
    let text = tf.ok(&["plan", "-out=p"]).flowed();
    let (_, told) = text.split_once(CHANGES).unwrap();
    assert!(told.contains("~ files etc/web/web.conf contents"), "{told}");
    assert!(!told.contains("files: 0 added"), "{told}");
    assert!(!world.store().exists(), "a plan makes no store");
}

#[test]
fn relock_says_what_stood_and_then_what_moved() {
    let world = World::reattached();
    let tf = &world.terraform;
    world.config(UNLOCKED);
    tf.apply();
    let web = tf.resource("nodeimage_image.node")["images"]["fixture.example/web:1"].clone();
    let web = web.as_str().unwrap();
    world.add_image("fixture.example/web:1", b"newer");
    world.config(&UNLOCKED.replace("config ", "relock = \"2026-12\"\n  config "));
    let text = tf.ok(&["plan", "-out=p"]).flowed();
    assert!(
        text.contains(&format!("fixture.example/web:1 {web} → known after apply")),
        "{text}"
    );
    assert!(!text.contains(CHANGES), "not known yet: {text}");
    let text = tf.ok(&["apply", "p"]).flowed();
    let (_, told) = text.split_once(CHANGES).unwrap();
    assert!(
        told.contains(&format!("~ fixture.example/web:1 {}", &web[..19])),
        "{told}"
    );
    assert!(
        told.contains("containers/services/web/"),
        "both are in the store: {told}"
    );
    tf.assert_no_changes();

    // Nothing moved.
    world.config(&UNLOCKED.replace("config ", "relock = \"2027-01\"\n  config "));
    tf.ok(&["plan", "-out=p"]);
    assert!(!tf.ok(&["apply", "p"]).stdout.contains(CHANGES));
}
