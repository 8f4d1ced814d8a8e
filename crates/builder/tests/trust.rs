//! What a trust policy lets pass on the way that a build takes: `nodeimage.toml`, lock, machine, with
//! images in a real registry and in layouts, and signatures in cosign's formats made by openssl.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod trust {
    pub(crate) mod signing;
    pub(crate) mod world;
}

use nodeimage_builder::locking;
use trust::signing::{Signer, payload};
use trust::world::{Held, World};

#[test]
fn a_signed_image_is_built_whatever_holds_its_signature() {
    let mut world = World::new();
    for (at, held) in Held::ALL.into_iter().enumerate() {
        let name = format!("acme/node{at}:1");
        let digest = world.image(&name, &[at as u8]);
        world.sign(&name, &digest, held, Signer::first());
        let registry = world.registry();
        world.policy(&format!(
            "\"{}\" = {{ cosign = \"first.pub\" }}",
            registry.host()
        ));
        let reference = format!("{}/{name}", registry.host());
        world.build(&reference).unwrap();
        // The same from the layout itself, and none of the registry's.
        world.forget();
        world.policy("\"x.example/acme\" = { cosign = [\"second.pub\", \"first.pub\"] }");
        world.build(&format!("x.example/{name}")).unwrap();
        world.forget();
    }
}

#[test]
fn layouts_keep_signatures_as_tools_write_them() {
    for held in [Held::Saved, Held::Listed] {
        let mut world = World::new();
        let digest = world.image("acme/node:1", b"node");
        world.sign("acme/node:1", &digest, held, Signer::first());
        world.policy("default = { cosign = \"first.pub\" }");
        world.build("x.example/acme/node:1").unwrap();
        world.forget();
        world.policy("default = { cosign = \"second.pub\" }");
        let error = world.build("x.example/acme/node:1").unwrap_err();
        assert!(error.contains("made with another key"), "{error}");
    }
}

#[test]
fn a_signature_is_kept_and_verified_anew_without_network() {
    let mut world = World::new();
    let digest = world.image("acme/node:1", b"node");
    world.sign("acme/node:1", &digest, Held::Tag, Signer::first());
    let registry = world.registry();
    world.unlist();
    let reference = format!("{}/acme/node:1", registry.host());
    world.policy("default = { cosign = \"first.pub\" }");
    let locked = world.lock(&reference).unwrap();
    world.machine(&locked).unwrap();
    registry.kill().unwrap();
    world.offline = true;
    world.machine(&locked).unwrap();
    // The store's word is not enough for another key, nor when somebody wrote to it.
    world.policy("\n\ndefault = { cosign = \"second.pub\" }");
    let error = world.machine(&locked).unwrap_err();
    assert!(error.contains("nodeimage.toml:6"), "{error}");
    assert!(error.contains("registries are not asked"), "{error}");
    world.policy("default = { cosign = \"first.pub\" }");
    assert_eq!(world.forge_kept_signatures(), 1);
    let error = world.machine(&locked).unwrap_err();
    assert!(error.contains("registries are not asked"), "{error}");
}

#[test]
fn a_registry_that_cannot_be_reached_lets_nothing_pass() {
    let mut world = World::new();
    let digest = world.image("acme/node:1", b"node");
    world.sign("acme/node:1", &digest, Held::Tag, Signer::first());
    let registry = world.registry();
    world.unlist();
    let reference = format!("{}/acme/node:1", registry.host());
    let locked = world.lock(&reference).unwrap();
    world.machine(&locked).unwrap();
    registry.kill().unwrap();
    // All of the image is in the store; its signature never was.
    world.policy("default = { cosign = \"first.pub\" }");
    let error = world.machine(&locked).unwrap_err();
    assert!(
        error.contains("refused by") && error.contains("cannot connect"),
        "{error}"
    );
}

/// One attack on a signature: what it does, and what the refusal says.
type Attack = (fn(&mut World, &str, &str, Held), &'static str);

#[test]
fn attacks_are_refused_when_locking_and_when_building() {
    let attacks: [Attack; 4] = [
        // No signature.
        (|_, _, _, _| {}, "there is none at all"),
        // Another key.
        (
            |world, name, digest, held| world.sign(name, digest, held, Signer::second()),
            "made with another key",
        ),
        // A good signature of another image, hung on this one.
        (
            |world, name, digest, held| {
                let other = world.image("acme/other:1", b"good");
                world.replay(name, &other, digest, held, Signer::first());
            },
            "that of another image, sha256:",
        ),
        // A good signature of another image, its payload altered to name this one.
        (
            |world, name, digest, held| {
                let other = world.image("acme/other:1", b"good");
                world.alter(name, &other, digest, held, Signer::first());
            },
            "what it signs was altered",
        ),
    ];
    for (attack, expected) in attacks {
        for held in Held::ALL {
            let mut world = World::new();
            let digest = world.image("acme/node:1", b"evil");
            attack(&mut world, "acme/node:1", &digest, held);
            let registry = world.registry();
            for reference in [
                format!("{}/acme/node:1", registry.host()),
                format!("{}/acme/node:1@{digest}", registry.host()),
                "x.example/acme/node:1".to_owned(),
            ] {
                world.policy("");
                let locked = world.lock(&reference).unwrap();
                world.policy("\"ghcr.io\" = \"accept\"\ndefault = { cosign = \"first.pub\" }");
                let words = "nodeimage.toml:5 (\"default\" = cosign): no signature of sha256:";
                for error in [
                    world.lock(&reference),
                    world.machine(&locked).map(|()| locked),
                ]
                .map(Result::unwrap_err)
                {
                    assert!(error.contains(&reference), "{error}");
                    assert!(error.contains(words), "{error}");
                    assert!(error.contains(expected), "{held:?} {error}");
                    assert!(error.contains("cosign sign --key"), "{error}");
                }
            }
        }
    }
}

#[test]
fn a_signature_of_each_manifest_stands_for_the_index() {
    let mut world = World::new();
    let (index, manifests) = world.index("acme/node:1");
    world.sign("acme/node:1", &manifests[0], Held::Tag, Signer::first());
    world.policy("");
    let locked = world.lock("x.example/acme/node:1").unwrap();
    world.policy("default = { cosign = \"first.pub\" }");
    world.machine(&locked).unwrap();
    world.lock("x.example/acme/node:1").unwrap();
    // The other architecture's manifest has none.
    let both = ["amd64", "arm64"];
    let error = world.resolve("x.example/acme/node:1", &both).unwrap_err();
    assert!(
        error.contains(&format!("no signature of {index}")),
        "{error}"
    );
    world.sign("acme/node:1", &manifests[1], Held::Tag, Signer::first());
    world.resolve("x.example/acme/node:1", &both).unwrap();
}

#[test]
fn rules_without_keys() {
    let mut world = World::new();
    let digest = world.image("acme/node:1", b"node");
    let tag = "x.example/acme/node:1";
    let pinned = format!("{tag}@{digest}");
    world.policy("\"x.example/acme\" = \"reject\"");
    for reference in [tag, &pinned] {
        let error = world.lock(reference).unwrap_err();
        assert!(
            error.contains("nodeimage.toml:4 (\"x.example/acme\" = reject): it is never used"),
            "{error}"
        );
    }
    world.policy("\"ghcr.io\" = \"accept\"");
    let error = world.lock(&pinned).unwrap_err();
    assert!(
        error.contains("nodeimage.toml:3 (trust policy): no line fits \"x.example/acme/node\""),
        "{error}"
    );
    world.policy("default = \"digest\"");
    let error = world.lock(tag).unwrap_err();
    assert!(error.contains("nodeimage lock"), "{error}");
    world.build(&pinned).unwrap();
    // The command that writes a lock may look the tag up, and what it wrote is enough.
    let builder = world.builder().unwrap();
    let (spec, wanted) = (world.spec(tag), World::amd64());
    let lock = locking::lock(
        &builder.images().for_lock(),
        &World::wanted(&spec, &wanted, None),
    );
    let locked = world.locked(&spec, &lock.unwrap());
    world.machine(&locked).unwrap();
}

#[test]
fn builtin_images_need_a_line_of_their_own_unless_they_come_with_the_program() {
    let mut world = World::new();
    let locked = world.lock_disk().unwrap();
    world.disk(&locked).unwrap();
    world.whole_policy("\"fixture.example\" = \"accept\"");
    let error = world.disk(&locked).unwrap_err();
    assert!(
        error.contains("builtin:") && error.contains("no line fits \"builtin\""),
        "{error}"
    );
    world.whole_policy("default = \"accept\"\nbuiltin = \"reject\"");
    // Its parts lie in the store.
    let error = world.disk(&locked).unwrap_err();
    assert!(
        error.contains("nodeimage.toml:5 (\"builtin\" = reject)"),
        "{error}"
    );
    world.whole_policy("default = \"accept\"");
    world.disk(&locked).unwrap();
    world.builtin_with_program = true;
    world.whole_policy("\"fixture.example\" = \"accept\"");
    world.disk(&locked).unwrap();
    world.whole_policy("\"fixture.example\" = \"accept\"\nbuiltin = \"reject\"");
    assert!(
        world
            .disk(&locked)
            .unwrap_err()
            .contains("\"builtin\" = reject")
    );
}

#[test]
fn a_policy_that_cannot_be_read_lets_nothing_pass() {
    let mut world = World::new();
    world.image("acme/node:1", b"node");
    for (policy, expected) in [
        (
            "default = { cosign = \"none.pub\" }",
            "nodeimage.toml:4: the key",
        ),
        ("default = \"yes\"", "nodeimage.toml:4: \"yes\" is no rule"),
        (
            "default = { keys = [] }",
            "nodeimage.toml:4: unknown key \"keys\"",
        ),
        ("default = ", "nodeimage.toml:4: "),
    ] {
        world.policy(policy);
        let error = world.lock("x.example/acme/node:1").unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    world.policy("default = { cosign = \"first.key\" }");
    let error = world.lock("x.example/acme/node:1").unwrap_err();
    assert!(error.contains("holds a private key"), "{error}");
    assert!(!error.contains("BEGIN"), "{error}");
}

#[test]
fn more_signatures_than_anybody_makes_are_not_tried() {
    let mut world = World::new();
    let digest = world.image("acme/node:1", b"node");
    let text = payload(&digest);
    world.many(&digest, 300, &text, "AAAA");
    world.policy("default = { cosign = \"first.pub\" }");
    let error = world.lock("x.example/acme/node:1").unwrap_err();
    assert!(error.contains("more than 256 signatures"), "{error}");
}
