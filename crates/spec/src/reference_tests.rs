use proptest::prelude::*;

use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn expands_as_linuxkit() {
    for (text, registry, repository, tag) in [
        ("tiny:2", "docker.io", "library/tiny", Some("2")),
        ("nginx", "docker.io", "library/nginx", None),
        (
            "linuxkit/init:abc",
            "docker.io",
            "linuxkit/init",
            Some("abc"),
        ),
        ("localhost/x:1", "localhost", "x", Some("1")),
        ("localhost:5000/x", "localhost:5000", "x", None),
        ("127.0.0.1:5005/a/b:c", "127.0.0.1:5005", "a/b", Some("c")),
        ("quay.io/a/b/c:1.2-x_y", "quay.io", "a/b/c", Some("1.2-x_y")),
        ("[::1]:5000/a:b", "[::1]:5000", "a", Some("b")),
        ("a/b/c:1", "docker.io", "a/b/c", Some("1")),
        ("docker.io/nginx", "docker.io", "nginx", None),
        ("a--b/c__d.e", "docker.io", "a--b/c__d.e", None),
    ] {
        let reference = Reference::parse(text).unwrap();
        assert_eq!(reference.registry(), registry, "{text}");
        assert_eq!(reference.repository(), repository, "{text}");
        assert_eq!(reference.tag(), tag, "{text}");
        assert_eq!(reference.digest(), None);
        assert!(!reference.is_builtin());
        assert_eq!(
            Reference::parse(reference.as_str()).unwrap(),
            reference,
            "expansion is idempotent"
        );
    }
}

#[test]
fn digests() {
    let reference = Reference::parse(&format!("nginx:1@sha256:{HEX}")).unwrap();
    assert_eq!(
        reference.to_string(),
        format!("docker.io/library/nginx:1@sha256:{HEX}")
    );
    assert_eq!(reference.tag(), Some("1"));
    assert_eq!(reference.digest(), Some(&Digest::of(b"")));
    assert_eq!(Digest::of(b"").hex(), HEX);
    assert!("sha256:E3".parse::<Digest>().is_err());
    assert!(
        format!("sha256:{}", HEX.to_uppercase())
            .parse::<Digest>()
            .is_err()
    );
    assert!(format!("sha512:{HEX}").parse::<Digest>().is_err());
    assert!(serde_json::from_str::<Digest>("\"sha256:zz\"").is_err());
}

#[test]
fn builtin_aliases_stay() {
    for text in [BUILTIN_INIT, BUILTIN_BOOT] {
        let reference = Reference::parse(text).unwrap();
        assert!(reference.is_builtin());
        assert_eq!(reference.as_str(), text);
    }
    assert!(Reference::parse("builtin:inti").is_err());
}

#[test]
fn refuses() {
    let long = "a".repeat(10_000);
    let long_tag = format!("a:{}", "t".repeat(129));
    for text in [
        "",
        ":",
        "/",
        "a:",
        "a/",
        "/a",
        "a//b",
        "A",
        "a/B:1",
        "a b",
        "a:b c",
        "a@sha256:12",
        "a@md5:0",
        "a@",
        "a:-x",
        "a:.x",
        "a:b:c",
        "-a",
        "a-",
        "a..b",
        "a___b",
        "a\n",
        "a\0",
        "@pkg:./x",
        "host.io:99999/a",
        "host.io:/a",
        "host..io/a",
        "-h.io/a",
        "[::1/a",
        "[zz]:1/a",
        "../a",
        "a/../b",
        "http://a.io/b",
        &long,
        &long_tag,
        "ä/b",
    ] {
        assert!(Reference::parse(text).is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn never_panics_and_round_trips(text in "\\PC{0,80}") {
        if let Ok(reference) = Reference::parse(&text) {
            prop_assert_eq!(Reference::parse(reference.as_str()), Ok(reference));
        }
    }

    #[test]
    fn well_formed_ones_parse(text in "([a-z0-9]{1,5}\\.io(:[1-9][0-9]{0,3})?/)?[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,3}(:[A-Za-z0-9_][A-Za-z0-9._-]{0,20})?") {
        prop_assert!(Reference::parse(&text).is_ok());
    }
}
