//! Texts that look like credentials. Used to warn about them, and to keep them out of excerpts.

/// What a text seems to hold, without the text itself.
pub(crate) fn find(text: &str) -> Option<&'static str> {
    if has_private_key(text) {
        return Some("a private key");
    }
    for rule in RULES {
        let mut rest = text;
        let mut before = None;
        while let Some(index) = rest.find(rule.prefix) {
            let head = &rest[..index];
            let previous = head.chars().next_back().or(before);
            let tail = &rest[index + rule.prefix.len()..];
            // One more than decides: the length of the text must not matter.
            let enough = rule.most.unwrap_or(rule.least) + 1;
            let body = tail
                .chars()
                .take(enough)
                .take_while(|c| (rule.accepts)(*c))
                .count();
            let apart = !previous.is_some_and(|c| c.is_ascii_alphanumeric());
            if apart && body >= rule.least && rule.most.is_none_or(|most| body <= most) {
                return Some(rule.name);
            }
            before = rule.prefix.chars().next_back();
            rest = tail;
        }
    }
    has_url_password(text).then_some("a password in a URL")
}

struct Rule {
    prefix: &'static str,
    name: &'static str,
    accepts: fn(char) -> bool,
    least: usize,
    most: Option<usize>,
}

const fn rule(
    prefix: &'static str,
    name: &'static str,
    accepts: fn(char) -> bool,
    least: usize,
) -> Rule {
    Rule {
        prefix,
        name,
        accepts,
        least,
        most: None,
    }
}

const fn exact(
    prefix: &'static str,
    name: &'static str,
    accepts: fn(char) -> bool,
    length: usize,
) -> Rule {
    Rule {
        prefix,
        name,
        accepts,
        least: length,
        most: Some(length),
    }
}

const RULES: &[Rule] = &[
    exact("AKIA", "an AWS access key id", upper_or_digit, 16),
    exact("ASIA", "an AWS access key id", upper_or_digit, 16),
    rule("aws_secret_access_key=", "an AWS secret key", base64, 40),
    rule("aws_secret_access_key = ", "an AWS secret key", base64, 40),
    rule("AWS_SECRET_ACCESS_KEY=", "an AWS secret key", base64, 40),
    rule("ghp_", "a GitHub token", word, 36),
    rule("gho_", "a GitHub token", word, 36),
    rule("ghu_", "a GitHub token", word, 36),
    rule("ghs_", "a GitHub token", word, 36),
    rule("ghr_", "a GitHub token", word, 36),
    rule("github_pat_", "a GitHub token", word, 50),
    rule("glpat-", "a GitLab token", word_or_dash, 20),
    rule("xoxb-", "a Slack token", word_or_dash, 20),
    rule("xoxp-", "a Slack token", word_or_dash, 20),
    rule("xoxa-", "a Slack token", word_or_dash, 20),
    rule("xoxs-", "a Slack token", word_or_dash, 20),
    rule("xapp-", "a Slack token", word_or_dash, 20),
    rule("hooks.slack.com/services/", "a Slack webhook", path, 30),
    exact("AIza", "a Google API key", word_or_dash, 35),
    rule("ya29.", "a Google OAuth token", word_or_dash, 20),
    rule("GOCSPX-", "a Google client secret", word_or_dash, 20),
    rule("AccountKey=", "an Azure storage key", base64, 64),
];

fn upper_or_digit(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit()
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn word_or_dash(c: char) -> bool {
    word(c) || c == '-'
}

fn base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

fn path(c: char) -> bool {
    word_or_dash(c) || c == '/'
}

/// `-----BEGIN … PRIVATE KEY-----`, PGP's and OpenSSH's included.
fn has_private_key(text: &str) -> bool {
    text.split("-----BEGIN ").skip(1).any(|tail| {
        let label: String = tail
            .chars()
            .take(60)
            .take_while(|c| *c != '-' && *c != '\n')
            .collect();
        label.contains("PRIVATE KEY")
    })
}

/// `scheme://user:password@host`; a password that is a variable (`$X`, `{{x}}`, `<x>`) is none.
fn has_url_password(text: &str) -> bool {
    text.split("://").skip(1).any(|tail| {
        let authority: &str = {
            let end = tail
                .char_indices()
                .take(512)
                .find(|(_, c)| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''))
                .map_or_else(
                    || {
                        tail.char_indices()
                            .nth(512)
                            .map_or(tail.len(), |(at, _)| at)
                    },
                    |(at, _)| at,
                );
            &tail[..end]
        };
        let Some((user_info, host)) = authority.rsplit_once('@') else {
            return false;
        };
        let Some((_, password)) = user_info.split_once(':') else {
            return false;
        };
        !host.is_empty() && !password.is_empty() && !password.starts_with(['$', '{', '<', '%', '*'])
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn finds_credentials() {
        let token = "a1B2".repeat(9);
        for text in [
            "-----BEGIN RSA PRIVATE KEY-----\nMII".to_owned(),
            "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(),
            "-----BEGIN PGP PRIVATE KEY BLOCK-----".to_owned(),
            "key = AKIAIOSFODNN7EXAMPLE".to_owned(),
            format!("token: ghp_{token}"),
            format!("xx github_pat_{token}{token}"),
            "xoxb-1234567890-abcdefghijkl".to_owned(),
            format!("AIza{}", "x".repeat(35)),
            "postgres://me:hunter2@db/prod".to_owned(),
            format!("aws_secret_access_key = {}", "Ab1/".repeat(10)),
        ] {
            assert!(find(&text).is_some(), "{text}");
        }
    }

    #[test]
    fn leaves_ordinary_text_alone() {
        for text in [
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "http://me@host/",
            "https://$USER:$PASSWORD@host/",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@host",
            "AKIA",
            "XAKIAIOSFODNN7EXAMPLE",
            "image: docker.io/linuxkit/init:f71c3b30ac1ba4ef16c160c89610fa4976f9752f",
            "http://a:8080/b@c",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
