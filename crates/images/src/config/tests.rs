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
