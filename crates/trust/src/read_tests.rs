use super::*;
use crate::testing::Signer;

fn parse(text: &str) -> Result<Policy, String> {
    Policy::parse(text, "trust.toml", Path::new("/none")).map_err(|error| error.to_string())
}

fn place(policy: &Policy, repository: &str) -> Option<String> {
    policy
        .line(repository)
        .map(|line| format!("{} {line}", policy.place(Some(line))))
}

#[test]
fn the_longest_prefix_decides() {
    let policy = parse(
        "# ours\n\"docker.io\" = \"digest\"\n\"docker.io/library/nginx\" = \"reject\"\n\n\
         \"docker.io/library\" = \"accept\"\nbuiltin = \"digest\"\ndefault = \"reject\"\n",
    )
    .unwrap();
    for (repository, expected) in [
        (
            "docker.io/library/nginx",
            r#"trust.toml:3 "docker.io/library/nginx" = reject"#,
        ),
        (
            "index.docker.io/nginx",
            r#"trust.toml:3 "docker.io/library/nginx" = reject"#,
        ),
        (
            "docker.io/library/nginx2",
            r#"trust.toml:5 "docker.io/library" = accept"#,
        ),
        (
            "docker.io/alpine",
            r#"trust.toml:5 "docker.io/library" = accept"#,
        ),
        (
            "docker.io/acme/node",
            r#"trust.toml:2 "docker.io" = digest"#,
        ),
        (
            "docker.io.evil.example/a",
            r#"trust.toml:7 "default" = reject"#,
        ),
        ("builtin", r#"trust.toml:6 "builtin" = digest"#),
        ("ghcr.io/acme", r#"trust.toml:7 "default" = reject"#),
    ] {
        assert_eq!(place(&policy, repository).as_deref(), Some(expected));
    }
}

#[test]
fn without_a_default_nothing_is_said() {
    let policy = parse("\"ghcr.io\" = \"accept\"\n").unwrap();
    assert_eq!(place(&policy, "docker.io/library/nginx"), None);
    assert_eq!(place(&parse("").unwrap(), "ghcr.io/a"), None);
}

#[test]
fn the_heading_may_stand_and_tables_may_be_long() {
    let key = Signer::p256().public_pem();
    let text = format!("[trust.\"ghcr.io/acme\"]\ncosign = '''\n{key}'''\n");
    let policy = parse(&text).unwrap();
    let line = policy.line("ghcr.io/acme/node").unwrap();
    assert_eq!(line.number, 1);
    assert!(matches!(&line.rule, Rule::Cosign(keys) if keys.len() == 1));
}

#[test]
fn keys_are_read_beside_the_policy() {
    let dir = tempfile::tempdir().unwrap();
    let read = |value: &str| {
        let text = format!("\n\"ghcr.io\" = {{ cosign = {value} }}");
        Policy::parse(&text, "trust.toml", dir.path()).map_err(|error| error.to_string())
    };
    for name in ["a.pub", "b.pub"] {
        std::fs::write(dir.path().join(name), Signer::p256().public_pem()).unwrap();
    }
    std::fs::write(dir.path().join("long.pub"), vec![b' '; 70_000]).unwrap();
    let policy = read("[\"a.pub\", \"b.pub\"]").unwrap();
    let Rule::Cosign(keys) = &policy.line("ghcr.io/a").unwrap().rule else {
        unreachable!()
    };
    assert_eq!(
        keys.iter().map(PublicKey::name).collect::<Vec<_>>(),
        ["a.pub", "b.pub"]
    );
    for (value, expected) in [
        ("\"none.pub\"", "none.pub cannot be read: No such file"),
        ("[\"a.pub\", \"none.pub\"]", "none.pub cannot be read"),
        ("\".\"", "is not a file"),
        ("\"long.pub\"", "longer than 65536 bytes"),
        ("[]", "must list 1 to 64 keys"),
        ("[1]", "a key must be a path or PEM text, not integer"),
    ] {
        let error = read(value).unwrap_err();
        assert!(error.starts_with("trust.toml:2: "), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn everything_unclear_is_an_error_with_its_line() {
    for (text, expected) in [
        ("\"ghcr.io\" = \"allow\"", "\"allow\" is no rule"),
        ("\"ghcr.io\" = \"cosign\"", "cosign needs keys"),
        (
            "\"ghcr.io\" = true",
            "must be a string or a table, not boolean",
        ),
        ("\"ghcr.io\" = {}", "says nothing"),
        (
            "\"ghcr.io\" = { cosgin = \"a\" }",
            "did you mean \"cosign\"?",
        ),
        ("\"ghcr.io\" = { tlog = true }", "unknown key \"tlog\""),
        ("defualt = \"reject\"", "does not begin with a registry"),
        ("\"*\" = \"reject\"", "has no patterns"),
        ("\"ghcr.io/*\" = \"reject\"", "has no patterns"),
        ("\"ghcr.io/a:1\" = \"reject\"", "must not have a tag"),
        (
            "\"ghcr.io/a@sha256:00\" = \"reject\"",
            "must not have a tag",
        ),
        ("\"ghcr.io//a\" = \"reject\"", "has an empty part"),
        ("\"ghcr.io/A\" = \"reject\"", "upper-case"),
        ("\"ghcr.io\" = \"reject", "trust.toml:1: "),
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            error.starts_with("trust.toml:1: ") && error.contains(expected),
            "{error}"
        );
    }
    let twice = "\"docker.io\" = \"reject\"\n\"index.docker.io\" = \"accept\"\n";
    let error = parse(twice).unwrap_err();
    assert!(
        error.contains("trust.toml:2: \"index.docker.io\" is the same as \"docker.io\""),
        "{error}"
    );
    let all = parse("a = 1\nb = 2\n").unwrap_err();
    assert_eq!(all.lines().count(), 2, "{all}");
}
