//! "Did you mean …?"

/// The candidate nearest to `word`, if one is near enough to be a likely slip.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    const MAX_WORD: usize = 64;
    if word.len() > MAX_WORD {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', '.'], "");
    let wanted = plain(word);
    let limit = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::osa_distance(&wanted, &plain(candidate));
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_leaves_strangers_alone() {
        let keys = [
            "binds",
            "binds.add",
            "command",
            "capabilities",
            "readonly",
            "uid",
        ];
        assert_eq!(nearest("bind", keys), Some("binds"));
        assert_eq!(nearest("comand", keys), Some("command"));
        assert_eq!(nearest("read_only", keys), Some("readonly"));
        assert_eq!(nearest("bindsAdd", keys), Some("binds.add"));
        assert_eq!(nearest("Capabilites", keys), Some("capabilities"));
        assert_eq!(nearest("restart", keys), None);
        assert_eq!(nearest(&"x".repeat(100_000), keys), None);
    }
}
