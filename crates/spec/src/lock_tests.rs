use super::*;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn sample() -> Lock {
    let platforms = |name: &str| {
        BTreeMap::from([
            ("linux/amd64".to_owned(), digest(name)),
            ("linux/arm64".to_owned(), digest("arm")),
        ])
    };
    let parts = BTreeMap::from([
        ("core.img".to_owned(), digest("core")),
        ("boot.img".to_owned(), digest("mbr")),
    ]);
    Lock {
        images: BTreeMap::from([
            (
                "docker.io/library/nginx:alpine".to_owned(),
                LockedImage {
                    digest: digest("nginx"),
                    platforms: platforms("n"),
                },
            ),
            (
                "docker.io/linuxkit/init:1".to_owned(),
                LockedImage {
                    digest: digest("one"),
                    platforms: BTreeMap::new(),
                },
            ),
        ]),
        boot: Some(LockedBoot {
            digest: digest("boot"),
            platforms: platforms("b"),
            parts: BTreeMap::from([("linux/amd64".to_owned(), parts)]),
        }),
        init: Some(LockedImage {
            digest: digest("init"),
            platforms: platforms("i"),
        }),
        ..Lock::default()
    }
}

#[test]
fn text_is_for_review_and_round_trips() {
    let lock = sample();
    let text = lock.to_string();
    insta::assert_snapshot!(text);
    assert!(text.ends_with("}\n"));
    let again = Lock::parse(&text).unwrap();
    assert_eq!(again, lock);
    assert_eq!(again.to_string(), text);
    let empty = Lock::default();
    assert_eq!(Lock::parse(&empty.to_string()).unwrap(), empty);
}

#[test]
fn refused() {
    let good = sample().to_string();
    let hex = digest("nginx").hex();
    for (text, wanted) in [
        (String::new(), "not valid"),
        ("[]".to_owned(), "not valid"),
        ("{}".to_owned(), "no `version`"),
        (
            r#"{"version": "1"}"#.to_owned(),
            "no whole number on line 1",
        ),
        (r#"{"version": 2, "new": 1}"#.to_owned(), "has version 2"),
        (r#"{"version": 1, "recipe": 99}"#.to_owned(), "recipe 99"),
        (r#"{"version": 1, "recipe": 0}"#.to_owned(), "recipe 0"),
        (r#"{"version": 1}"#.to_owned(), "recipe"),
        (
            good.replace("\"init\"", "\"innit\""),
            "unknown field `innit`",
        ),
        (
            good.replace("nginx:alpine", "nginx:al pine"),
            "no valid image reference",
        ),
        (
            good.replace("docker.io/library/nginx", "nginx"),
            "not expanded",
        ),
        (
            good.replace("docker.io/library/nginx:alpine", "builtin:init"),
            "its own key",
        ),
        (good.replace(&hex, &hex.to_uppercase()), "no digest"),
        (good.replace(&hex, ""), "no digest"),
        (good.replace("linux/arm64", "linux"), "no platform"),
        (
            good.replace("core.img", "../core.img"),
            "no name of a boot part",
        ),
        (
            good.replace(
                "docker.io/library/nginx:alpine",
                &format!("docker.io/library/nginx@{}", digest("x")),
            ),
            "another digest",
        ),
        (
            good.replace("\"platforms\": {}", "\"platforms\": {}, \"platforms\": {}"),
            "duplicate field",
        ),
        ("[".repeat(100_000), "not valid"),
        (
            format!("{{\"version\": {}1}}", "[".repeat(100_000)),
            "not valid",
        ),
        (" ".repeat(17 << 20), "more than"),
    ] {
        let error = Lock::parse(&text).unwrap_err().to_string();
        assert!(error.contains(wanted), "wanted {wanted}, got {error}");
        assert!(error.len() < 1000);
    }
}

#[test]
fn duplicate_images_are_refused() {
    let image = format!(r#"{{"digest":"{}"}}"#, digest("a"));
    let text = format!(
        r#"{{"version":1,"recipe":1,"images":{{"docker.io/library/a":{image},"docker.io/library/a":{image}}}}}"#
    );
    assert!(
        Lock::parse(&text)
            .unwrap_err()
            .to_string()
            .contains("twice")
    );
}

#[test]
fn faults_have_a_line() {
    let good = sample().to_string();
    let line = |text: &str| 1 + good.lines().position(|it| it.contains(text)).unwrap();
    let newer = good.replace("\"version\": 1", "\"version\": 7");
    let recipe = good.replace("\"recipe\": 1", "\"recipe\": 99");
    let short = good.replace("docker.io/library/nginx:", "nginx:");
    let typed = good.replacen("\"platforms\"", "\"platform\"", 1);
    let comma = good.replacen("\",\n", "\"\n", 1);
    for (text, wanted) in [
        (newer, format!("version 7 on line {},", line("version"))),
        (recipe, format!("recipe 99 on line {},", line("recipe"))),
        (short, format!(" on line {};", line("nginx"))),
        (typed, "unknown field `platform`".to_owned()),
        (typed_line(&good), "at line ".to_owned()),
        (comma, "at line ".to_owned()),
        (
            good.replace("linux/arm64", "Linux/arm64"),
            " on line ".to_owned(),
        ),
    ] {
        let error = Lock::parse(&text).unwrap_err().to_string();
        assert!(error.contains(&wanted), "wanted {wanted}, got {error}");
    }
    let conflict = good.replacen(
        "  \"images\"",
        "<<<<<<< HEAD\n=======\n>>>>>>> theirs\n  \"images\"",
        1,
    );
    let error = Lock::parse(&conflict).unwrap_err().to_string();
    let wanted = format!("merge conflict on line {}", line("\"images\""));
    assert!(error.contains(&wanted), "{error}");
}

fn typed_line(good: &str) -> String {
    good.replacen("\"version\": 1", "\"version\": 1,\n  \"new\": 2", 1)
}

#[test]
fn architectures_that_all_entries_serve() {
    use Architecture::{Amd64, Arm64};
    let mut lock = sample();
    // The boot parts are amd64's alone.
    assert_eq!(lock.architectures(), [Amd64]);
    let boot = lock.boot.as_mut().unwrap();
    boot.parts.insert("linux/arm64".to_owned(), BTreeMap::new());
    assert_eq!(lock.architectures(), [Amd64, Arm64]);
    assert!(Lock::default().architectures().is_empty());
}
