//! Images from a registry with a password, and where that password must not turn up.

use std::fs;
use std::path::Path;

use acceptance_tests::registry::{Access, PASSWORD, Registry, USER};

use crate::world::{UNLOCKED, World};

fn serve(world: &World) -> Registry {
    let dir = world.path("registry");
    let open = Registry::start(&dir, Access::default()).unwrap();
    open.push(&world.path("layout")).unwrap();
    drop(open);
    let access = Access {
        password: true,
        ..Access::default()
    };
    Registry::start(&dir, access).unwrap()
}

fn login(world: &World, registry: &Registry, body: &str) {
    let host = registry.host();
    let store = world.store();
    let builtin = world.layout();
    world.whole(&format!(
        "variable \"password\" {{\n  type = string\n  ephemeral = true\n}}\n\
         provider \"nodeimage\" {{\n  cache_dir = {store:?}\n  sources = {{\n    builtin = {builtin:?}\n    \
         \"fixture.example\" = {host:?}\n  }}\n  registries = {{\n    {host:?} = {{ username = {USER:?}, password = var.password }}\n  }}\n}}\n{body}"
    ));
}

/// Every file below `dir` that holds the password.
fn leaks(dir: &Path, password: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            leaks(&path, password, found);
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let needle = password.as_bytes();
            if bytes.windows(needle.len()).any(|part| part == needle) {
                found.push(path.display().to_string());
            }
        }
    }
}

/// As it travels in a header.
fn encoded(password: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = format!("{USER}:{password}");
    let mut out = String::new();
    for chunk in text.as_bytes().chunks_exact(3) {
        let bits = u32::from(chunk[0]) << 16 | u32::from(chunk[1]) << 8 | u32::from(chunk[2]);
        for shift in [18, 12, 6, 0] {
            out.push(char::from(ALPHABET[(bits >> shift & 63) as usize]));
        }
    }
    out
}

#[test]
fn the_password_is_nowhere() {
    let mut world = World::spawned();
    let registry = serve(&world);
    let data = "data \"nodeimage_latest\" \"node\" {\n  config = file(\"node.yml\")\n}\n";
    login(&world, &registry, &(data.to_owned() + UNLOCKED));
    world.terraform.env("TF_VAR_password", PASSWORD);
    world.terraform.env("TF_LOG", "TRACE");
    world.terraform.env("TF_LOG_PATH", world.path("logs.txt"));
    let tf = &world.terraform;
    let mut said = String::new();
    for arguments in [
        &["validate"][..],
        &["plan", "-out=p"],
        &["apply", "p"],
        &["plan", "-detailed-exitcode"],
        &["show", "-json", "p"],
        &["show", "-json"],
    ] {
        let output = tf.ok(arguments);
        said += &(output.stdout + &output.stderr);
    }
    assert!(fs::metadata(world.path("logs.txt")).unwrap().len() > 100_000);
    for secret in [PASSWORD.to_owned(), encoded(PASSWORD)] {
        assert!(!said.contains(&secret));
        let mut found = Vec::new();
        leaks(&tf.dir(), &secret, &mut found);
        leaks(&world.store(), &secret, &mut found);
        let log = fs::read_to_string(world.path("logs.txt")).unwrap();
        assert!(!log.contains(&secret), "in the log");
        assert!(found.is_empty(), "the password is in {found:?}");
    }
}

#[test]
fn a_wrong_password() {
    let mut world = World::spawned();
    let registry = serve(&world);
    login(&world, &registry, UNLOCKED);
    world.terraform.env("TF_VAR_password", "wrong-horse-8");
    world.terraform.env("TF_LOG", "TRACE");
    world.terraform.env("TF_LOG_PATH", world.path("logs.txt"));
    let error = world.terraform.fails(&["apply", "-auto-approve"]);
    for words in [
        "Can't resolve image references",
        &registry.host(),
        "the provider block",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    let log = fs::read_to_string(world.path("logs.txt")).unwrap();
    for secret in ["wrong-horse-8".to_owned(), encoded("wrong-horse-8")] {
        assert!(!error.contains(&secret), "{error}");
        assert!(!log.contains(&secret), "in the log");
    }
    // The right one, and it goes on.
    world.terraform.env("TF_VAR_password", PASSWORD);
    world.terraform.apply();
    // A registry that is gone is not missed.
    drop(registry);
    world.terraform.assert_no_changes();
}
