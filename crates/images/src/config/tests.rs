use super::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("/etc/x/nodeimage.toml")).map_err(|error| error.to_string())
}

#[test]
fn everything_is_read() {
    let config = parse(
        r#"
[sources]
"docker.io/library" = "oci:images"
"ghcr.io/a" = "oci-archive:/abs/a.tar"
"ghcr.io/b" = "docker-archive:../b.tar"
"quay.io" = "https://mirror.example/quay/"
"localhost:5000" = "other.example:443/x"
builtin = "oci:base"

[registries."mirror.example"]
username = "ci"
password_env = "TOKEN"
ca_file = "ca.pem"

[registries."localhost:5000"]
plain_http = true
password_file = "secret"

[limits]
entries = 2_000_000
layer_bytes = 0x1000
"#,
    )
    .unwrap();
    let expected = BTreeMap::from([
        (
            "docker.io/library".into(),
            Source::Oci("/etc/x/images".into()),
        ),
        ("ghcr.io/a".into(), Source::OciArchive("/abs/a.tar".into())),
        (
            "ghcr.io/b".into(),
            Source::DockerArchive("/etc/x/../b.tar".into()),
        ),
        (
            "quay.io".into(),
            Source::Mirror("mirror.example/quay".into()),
        ),
        (
            "localhost:5000".into(),
            Source::Mirror("other.example:443/x".into()),
        ),
        ("builtin".into(), Source::Oci("/etc/x/base".into())),
    ]);
    assert_eq!(config.sources, expected);
    let mirror = &config.registries["mirror.example"];
    assert_eq!(mirror.username.as_deref(), Some("ci"));
    assert_eq!(mirror.password, Some(PasswordFrom::Env("TOKEN".into())));
    assert_eq!(mirror.ca_file.as_deref(), Some(Path::new("/etc/x/ca.pem")));
    let local = &config.registries["localhost:5000"];
    assert!(local.plain_http);
    assert_eq!(
        local.password,
        Some(PasswordFrom::File("/etc/x/secret".into()))
    );
    assert_eq!(config.limits.entries, 2_000_000);
    assert_eq!(config.limits.layer_bytes, 4096);
    assert_eq!(config.limits.layer_ratio, Limits::default().layer_ratio);
    // The file's own builtin source stays.
    let config = config.with_builtin("/default");
    assert_eq!(config.sources["builtin"], Source::Oci("/etc/x/base".into()));
    let builtin = Config::default().with_builtin("/default");
    assert_eq!(builtin.sources["builtin"], Source::Oci("/default".into()));
}

#[test]
fn every_fault_has_its_line_and_a_hint() {
    let error = parse(
        r#"[sources]
nginx = "oci:x"
"docker.io/a:1" = "oci:x"
"docker.io" = "oci:"
"ghcr.io" = "ftp:/x"
"quay.io" = "http://x.example"
"a.example" = 1

[registries."a.example"]
user_name = "x"
password = "hunter2"
plain_http = "yes"

[limits]
entries = 0

[source]
"#,
    )
    .unwrap_err();
    let lines: Vec<&str> = error.lines().collect();
    let expected = [
        (2, "docker.io/…"),
        (3, "tag or digest"),
        (4, "no path"),
        (5, "no source"),
        (6, "plain_http"),
        (7, "must be a string"),
        (10, "did you mean \"username\"?"),
        (11, "password_env"),
        (12, "true or false"),
        (15, "from 1 to"),
        (17, "did you mean \"sources\"?"),
    ];
    assert_eq!(lines.len(), expected.len(), "{error}");
    for (line, (number, hint)) in lines.iter().zip(expected) {
        let start = format!("/etc/x/nodeimage.toml:{number}: ");
        assert!(line.starts_with(&start) && line.contains(hint), "{line}");
    }
    assert!(!error.contains("hunter2"));
}

#[test]
fn broken_toml_names_its_line() {
    let error = parse("[sources]\n\"docker.io\" = \n").unwrap_err();
    assert!(error.contains("toml:2: "), "{error}");
    let error = parse("[sources]\n\"a.b\" = \"oci:x\"\n\"a.b\" = \"oci:y\"\n").unwrap_err();
    assert!(error.contains("toml:3: "), "{error}");
    let http = |host: &str| parse(&format!("[registries.\"{host}\"]\nplain_http = true\n"));
    for local in [
        "localhost",
        "localhost:5000",
        "127.0.0.1:5000",
        "127.9.9.9",
        "[::1]:5000",
        "[::1]",
    ] {
        assert!(http(local).is_ok(), "{local}");
    }
    for far in [
        "a.example",
        "localhost.a.example:5000",
        "10.0.0.1:5000",
        "[fe80::1]",
    ] {
        assert!(http(far).unwrap_err().contains("ca_file"), "{far}");
    }
    let both = "[registries.\"a.b\"]\npassword_env = \"A\"\npassword_file = \"b\"\n";
    assert!(parse(both).unwrap_err().contains("both"));
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("/nowhere/nodeimage.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nowhere/nodeimage.toml: cannot be read"),
        "{error}"
    );
}

#[test]
fn trust_is_a_policy_with_the_lines_of_the_file() {
    let text = "[sources]\nbuiltin = \"oci:x\"\n\n[trust]\n\"ghcr.io\" = \"reject\"\n";
    let config = Config::parse(text, Path::new("/x/nodeimage.toml")).unwrap();
    let [policy] = &config.trust[..] else {
        panic!("{:?}", config.trust)
    };
    let line = policy.line("ghcr.io/acme");
    assert_eq!(policy.place(line), "/x/nodeimage.toml:5");
    assert_eq!(
        policy.place(policy.line("quay.io/a")),
        "/x/nodeimage.toml:4"
    );
    for (text, expected) in [
        (
            "\n[trust]\n\"ghcr.io\" = \"alow\"\n",
            "nodeimage.toml:3: \"alow\" is no rule",
        ),
        (
            "trust = \"reject\"\n",
            "nodeimage.toml:1: trust must be a table",
        ),
        ("[trsut]\n", "did you mean \"trust\"?"),
        ("[trust]\n[trust]\n", "nodeimage.toml:2"),
    ] {
        let error = Config::parse(text, Path::new("nodeimage.toml")).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    // Without the section there is no policy; an empty one lets nothing pass.
    assert!(Config::parse("", Path::new("x")).unwrap().trust.is_empty());
    let empty = Config::parse("[trust]\n", Path::new("x")).unwrap();
    assert!(empty.trust[0].line("ghcr.io/a").is_none());
}

#[test]
fn builtin_images_are_ours_only_when_they_come_with_the_program() {
    let file = |text| Config::parse(text, Path::new("x")).unwrap();
    let mut config = file("").with_builtin("images");
    assert!(config.builtin_is_ours);
    config.prefer(file("[sources]\n\"ghcr.io\" = \"oci:a\"\n").sources);
    assert!(config.builtin_is_ours);
    config.prefer(file("[sources]\nbuiltin = \"oci:a\"\n").sources);
    assert!(!config.builtin_is_ours);
    let own = file("[sources]\nbuiltin = \"oci:a\"\n").with_builtin("images");
    assert!(!own.builtin_is_ours);
}
