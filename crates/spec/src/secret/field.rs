//! Credentials that only the name in front of them gives away.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Between a name and its value: `name: "value"`, `"name":"value"`, `NAME=value`, `--name value`.
const BETWEEN: [char; 5] = [' ', ':', '=', '"', '\''];

/// Characters of a value that are looked at.
const LOOKED_AT: usize = 512;

struct Field {
    name: &'static str,
    kind: &'static str,
    /// The value up to the first character that can't be in it.
    holds: fn(&str) -> bool,
}

const FIELDS: &[Field] = &[
    field("aws_secret_access_key", "an AWS secret key", is_aws_secret),
    field("AWS_SECRET_ACCESS_KEY", "an AWS secret key", is_aws_secret),
    field("secretAccessKey", "an AWS secret key", is_aws_secret),
    field("SecretAccessKey", "an AWS secret key", is_aws_secret),
    field("\"auth\"", "a registry password", is_registry_auth),
    field("_auth", "a registry password", is_registry_auth),
    field("_authToken", "a registry token", |value| value.len() >= 20),
    field("identitytoken\"", "a registry token", |value| {
        value.len() >= 20
    }),
    field("PrivateKey", "a WireGuard private key", is_wireguard_key),
    field("token", "a kubeadm bootstrap token", is_bootstrap_token),
    field(
        "bootstrapToken",
        "a kubeadm bootstrap token",
        is_bootstrap_token,
    ),
];

const fn field(name: &'static str, kind: &'static str, holds: fn(&str) -> bool) -> Field {
    Field { name, kind, holds }
}

pub(super) fn find(text: &str) -> Option<&'static str> {
    if has_json_web_token(text) {
        return Some("a JSON web token");
    }
    let holds = |field: &&Field| {
        text.match_indices(field.name).any(|(start, name)| {
            let rest = &text[start + name.len()..];
            let value = rest.trim_start_matches(BETWEEN);
            // A name that goes on is another one; a value stands on the same line, and not far off.
            let between = rest.len() - value.len();
            (1..=8).contains(&between) && (field.holds)(word(value))
        })
    };
    FIELDS.iter().find(holds).map(|field| field.kind)
}

/// What a token may be made of.
fn word(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/=-_.".contains(c);
    let end = text
        .char_indices()
        .take(LOOKED_AT)
        .find(|(_, c)| !is_part(*c))
        .map_or(text.len().min(LOOKED_AT), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

fn is_base64(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    text.bytes().all(is_part)
}

fn is_aws_secret(value: &str) -> bool {
    value.len() == 40 && is_base64(value)
}

/// `user:password` in base64, as Docker's config.json and .npmrc have it.
fn is_registry_auth(value: &str) -> bool {
    let decoded = STANDARD.decode(value).unwrap_or_default();
    let parts = decoded.split(|byte| *byte == b':').collect::<Vec<_>>();
    let text = std::str::from_utf8(&decoded).is_ok_and(|text| !text.contains(char::is_control));
    text && parts.len() > 1 && !parts[0].is_empty() && !parts[1].is_empty()
}

/// 32 bytes.
fn is_wireguard_key(value: &str) -> bool {
    value.len() == 44 && STANDARD.decode(value).is_ok_and(|key| key.len() == 32)
}

/// `[a-z0-9]{6}.[a-z0-9]{16}`
fn is_bootstrap_token(value: &str) -> bool {
    let is_part = |text: &str| {
        let mut bytes = text.bytes();
        bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    value.split_once('.').is_some_and(|(id, secret)| {
        id.len() == 6 && secret.len() == 16 && is_part(id) && is_part(secret)
    })
}

/// Header and claims are JSON objects in base64url (RFC 7519), which begin alike; unsigned ones are
/// no credentials.
fn has_json_web_token(text: &str) -> bool {
    text.match_indices("eyJ").any(|(start, _)| {
        let before = text[..start].chars().next_back();
        if before.is_some_and(|c| c.is_ascii_alphanumeric()) {
            return false;
        }
        let word = word(&text[start..]);
        let mut parts = word.split('.');
        let mut next = || parts.next().unwrap_or_default();
        let (header, claims, signature) = (next(), next(), next());
        // Of a long token only the beginning was looked at.
        let claims_go_on = word.len() == LOOKED_AT;
        header.len() >= 16
            && claims.len() >= 8
            && claims.starts_with("eyJ")
            && (signature.len() >= 20 || claims_go_on)
    })
}
