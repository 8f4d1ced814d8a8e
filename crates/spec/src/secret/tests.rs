use super::find;

fn token() -> String {
    "a1B2".repeat(9)
}

#[test]
fn finds_credentials() {
    let token = token();
    let key = "q".repeat(42) + "8=";
    let jwt = format!("eyJhbGciOiJSUzI1NiIs.eyJzdWIiOiIxIn0.{token}");
    for (text, kind) in [
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMII".to_owned(),
            "a private key",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(),
            "a private key",
        ),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----".to_owned(),
            "a private key",
        ),
        (
            "-----BEGIN PGP PRIVATE KEY BLOCK-----".to_owned(),
            "a private key",
        ),
        (
            "{\"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMII\"}".to_owned(),
            "a private key",
        ),
        // The same in base64.
        (
            "client-key-data: LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUk=".to_owned(),
            "a private key",
        ),
        (
            "PuTTY-User-Key-File-3: ssh-ed25519".to_owned(),
            "a private key",
        ),
        (
            format!("AGE-SECRET-KEY-1{}", "Q".repeat(58)),
            "a private key",
        ),
        (
            "key = AKIAIOSFODNN7EXAMPLE".to_owned(),
            "an AWS access key id",
        ),
        (format!("token: ghp_{token}"), "a GitHub token"),
        (format!("xx github_pat_{token}{token}"), "a GitHub token"),
        (format!("glpat-{token}"), "a GitLab token"),
        (format!("glrt-{token}"), "a GitLab token"),
        (format!("dckr_pat_{token}"), "a Docker Hub token"),
        (format!("npm_{token}"), "an npm token"),
        (
            format!("pypi-AgEIcHlwaS5vcmc{token}{token}"),
            "a PyPI token",
        ),
        ("xoxb-1234567890-abcdefghijkl".to_owned(), "a Slack token"),
        (format!("AIza{}", "x".repeat(35)), "a Google API key"),
        (
            format!("AccountKey={}", "Ab1/".repeat(20)),
            "an Azure storage key",
        ),
        (
            format!("dop_v1_{}", "a1".repeat(32)),
            "a DigitalOcean token",
        ),
        (format!("hvs.{token}"), "a Vault token"),
        (
            "postgres://me:hunter2@db/prod".to_owned(),
            "a password in a URL",
        ),
        (
            format!("aws_secret_access_key = {}", "Ab1/".repeat(10)),
            "an AWS secret key",
        ),
        (
            format!("\"SecretAccessKey\": \"{}\"", "Ab1/".repeat(10)),
            "an AWS secret key",
        ),
        (
            "{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"bWU6aHVudGVyMg==\"}}}"
                .to_owned(),
            "a registry password",
        ),
        (
            "//r.example/:_auth=bWU6aHVudGVyMg==".to_owned(),
            "a registry password",
        ),
        (
            format!("//r.example/:_authToken={token}"),
            "a registry token",
        ),
        (
            format!("\"identitytoken\": \"{token}\""),
            "a registry token",
        ),
        (format!("PrivateKey = {key}"), "a WireGuard private key"),
        (
            "kubeadm join --token abcdef.0123456789abcdef".to_owned(),
            "a kubeadm bootstrap token",
        ),
        (
            "token: \"abcdef.0123456789abcdef\"\n".to_owned(),
            "a kubeadm bootstrap token",
        ),
        (format!("Bearer {jwt}"), "a JSON web token"),
        (
            format!("eyJhbGciOiJSUzI1NiIs.eyJ{}.{token}", "abcd".repeat(400)),
            "a JSON web token",
        ),
    ] {
        assert_eq!(find(&text), Some(kind), "{text}");
        let hidden = format!("x\n  {text}\ny");
        assert_eq!(find(&hidden), Some(kind), "{hidden}");
    }
}

#[test]
fn leaves_ordinary_text_alone() {
    for text in [
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----",
        // `-----BEGIN CERTIFICATE-----` and a public key in base64.
        "certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSQ==",
        "LS0tLS1CRUdJTi",
        "http://me@host/",
        "https://$USER:$PASSWORD@host/",
        "https://{{ user }}:{{ password }}@host/",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@host",
        "AKIA",
        "XAKIAIOSFODNN7EXAMPLE",
        "image: docker.io/linuxkit/init:f71c3b30ac1ba4ef16c160c89610fa4976f9752f",
        "http://a:8080/b@c",
        "aws_secret_access_key = ${AWS_SECRET_ACCESS_KEY}",
        "aws_secret_access_key_file = /run/secrets/aws",
        "{\"auth\": \"basic\"}",
        "{\"auth\": {\"type\": \"oidc\"}}",
        "//r.example/:_authToken=${NPM_TOKEN}",
        "PrivateKeyFile = /etc/wireguard/key",
        "PublicKey = qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq8=",
        "token: abcdef.0123",
        "tokenAttributes: abcdef.0123456789abcdef",
        "the header eyJ is where a token begins",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "é_authToken=é",
    ] {
        assert_eq!(find(text), None, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_has_an_answer(text in "(?s).{0,300}", name in "(token|\"auth\"|eyJ|LS0tLS1CRUdJTi)?") {
        let _ = find(&format!("{name}{text}"));
        let _ = find(&format!("{text}{name}=\"{text}"));
    }
}
