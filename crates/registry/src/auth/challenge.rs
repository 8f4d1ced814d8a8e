//! `WWW-Authenticate` of a 401 (RFC 9110 §11.6.1).

use http_auth::parse_challenges;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// Headers looked at, and the longest taken.
const MOST: usize = 8;
const LONGEST: usize = 8 << 10;

/// What a registry takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Challenges {
    pub(crate) basic: bool,
    pub(crate) bearer: Option<Bearer>,
}

/// Where to get a token, and what to ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) realm: String,
    pub(crate) service: Option<String>,
    pub(crate) scope: Option<String>,
}

/// The first Bearer challenge and whether there is a Basic one. What cannot be
/// read is left out.
pub(crate) fn read(headers: &HeaderMap) -> Challenges {
    let mut out = Challenges::default();
    for value in headers.get_all(WWW_AUTHENTICATE).iter().take(MOST) {
        let Ok(text) = value.to_str() else { continue };
        if text.len() > LONGEST {
            continue;
        }
        let Ok(challenges) = parse_challenges(text) else {
            continue;
        };
        for challenge in challenges {
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                out.basic = true;
            } else if challenge.scheme.eq_ignore_ascii_case("bearer") && out.bearer.is_none() {
                let param = |name: &str| {
                    let found = challenge
                        .params
                        .iter()
                        .find(|(key, _)| key.eq_ignore_ascii_case(name));
                    found
                        .map(|(_, value)| value.to_unescaped())
                        .filter(|text| !text.is_empty())
                };
                out.bearer = param("realm").map(|realm| Bearer {
                    realm,
                    service: param("service"),
                    scope: param("scope"),
                });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn challenges(values: &[&str]) -> Challenges {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        read(&headers)
    }

    #[test]
    fn reads_what_registries_send() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let bearer = challenges(&[hub]).bearer.unwrap();
        assert_eq!(bearer.realm, "https://auth.docker.io/token");
        assert_eq!(bearer.service.as_deref(), Some("registry.docker.io"));
        assert_eq!(bearer.scope.as_deref(), Some("repository:a/b:pull,push"));

        let both = challenges(&["Basic realm=\"x\", BEARER realm=https, service=\"a \\\" b\""]);
        assert!(both.basic);
        assert_eq!(both.bearer.unwrap().service.as_deref(), Some("a \" b"));
        assert_eq!(
            challenges(&["Basic", "junk =,,", "Bearer service=\"s\""]),
            Challenges {
                basic: true,
                bearer: None
            }
        );
    }

    proptest! {
        #[test]
        fn takes_any_text(text in "((Bearer|Basic) )?[ -~]{0,80}") {
            challenges(&[&text]);
        }
    }
}
