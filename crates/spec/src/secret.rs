//! Texts that look like credentials. Used to warn about them, and to keep them out of excerpts.
//!
//! Only what can hardly be anything else counts: forms that their issuers publish, and values of
//! keys that hold nothing but credentials. Variables and placeholders are none.

mod field;
mod key;

/// What a text seems to hold, without the text itself.
pub(crate) fn find(text: &str) -> Option<&'static str> {
    if let Some(found) = key::find(text) {
        return Some(found);
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
    if let Some(found) = field::find(text) {
        return Some(found);
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
    rule("ghp_", "a GitHub token", word, 36),
    rule("gho_", "a GitHub token", word, 36),
    rule("ghu_", "a GitHub token", word, 36),
    rule("ghs_", "a GitHub token", word, 36),
    rule("ghr_", "a GitHub token", word, 36),
    rule("github_pat_", "a GitHub token", word, 50),
    rule("glpat-", "a GitLab token", word_or_dash, 20),
    rule("gldt-", "a GitLab token", word_or_dash, 20),
    rule("glrt-", "a GitLab token", word_or_dash, 20),
    rule("glcbt-", "a GitLab token", word_or_dash, 20),
    rule("dckr_pat_", "a Docker Hub token", word_or_dash, 20),
    rule("dckr_oat_", "a Docker Hub token", word_or_dash, 20),
    exact("npm_", "an npm token", alphanumeric, 36),
    rule("pypi-AgE", "a PyPI token", word_or_dash, 50),
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
    rule("SharedAccessKey=", "an Azure access key", base64, 40),
    exact("dop_v1_", "a DigitalOcean token", alphanumeric, 64),
    rule("hvs.", "a Vault token", word_or_dash, 24),
    rule("sk_live_", "a Stripe key", alphanumeric, 20),
    rule("rk_live_", "a Stripe key", alphanumeric, 20),
];

fn alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

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
mod tests;
