//! Private keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The start of `-----BEGIN ` in base64: keys in kubeconfigs and Kubernetes secrets.
const ENCODED: &str = "LS0tLS1CRUdJTi";

/// Characters of base64 that hold the longest label.
const ENCODED_LABEL: usize = 96;

pub(super) fn find(text: &str) -> Option<&'static str> {
    let other = text.contains("PuTTY-User-Key-File-") || text.contains("AGE-SECRET-KEY-1");
    (has_pem(text) || has_encoded_pem(text) || other).then_some("a private key")
}

/// `-----BEGIN … PRIVATE KEY-----` (RFC 7468), PGP's and OpenSSH's included.
fn has_pem(text: &str) -> bool {
    text.split("-----BEGIN ").skip(1).any(|tail| {
        let label: String = tail
            .chars()
            .take(60)
            .take_while(|c| *c != '-' && *c != '\n')
            .collect();
        label.contains("PRIVATE KEY")
    })
}

fn has_encoded_pem(text: &str) -> bool {
    text.match_indices(ENCODED).any(|(start, _)| {
        let code: Vec<u8> = text
            .bytes()
            .skip(start)
            .take(ENCODED_LABEL)
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
            .collect();
        let whole = code.len() - code.len() % 4;
        let decoded = STANDARD.decode(&code[..whole]).unwrap_or_default();
        has_pem(&String::from_utf8_lossy(&decoded))
    })
}
