//! The order of free keys: `yaml.v2`'s, in which numbers inside of texts count as numbers.

use std::cmp::Ordering;

/// Compares two keys: what is no letter stands before letters, `a9` before `a10`.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let mut digits = 0;
    let mut at = 0;
    for (left, right) in a.chars().zip(b.chars()) {
        if left != right {
            return match (left.is_alphabetic(), right.is_alphabetic()) {
                (false, true) => Ordering::Less,
                (true, false) => Ordering::Greater,
                (false, false) if left.is_ascii_digit() || right.is_ascii_digit() => {
                    numbers(&a[at - digits..], &b[at - digits..])
                }
                _ => left.cmp(&right),
            };
        }
        digits = if left.is_ascii_digit() { digits + 1 } else { 0 };
        at += left.len_utf8();
    }
    a.len().cmp(&b.len())
}

/// Compares the numbers that two texts start with, and of equal ones the leading zeros.
fn numbers(a: &str, b: &str) -> Ordering {
    let run = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (a, b) = (&a[..run(a)], &b[..run(b)]);
    let (left, right) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    left.len()
        .cmp(&right.len())
        .then_with(|| left.cmp(right))
        .then_with(|| a.len().cmp(&b.len()))
}
