//! What two listings differ in.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Entry, Listing};

/// Every difference: the path, and what LinuxKit has there and what we have.
#[must_use]
pub fn differences(theirs: &Listing, ours: &Listing) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let paths: BTreeSet<&String> = theirs.entries.keys().chain(ours.entries.keys()).collect();
    for path in paths {
        let mut add = |what: String| {
            found.insert((path.clone(), what));
        };
        let (their, our) = (theirs.entries.get(path), ours.entries.get(path));
        let (Some(their), Some(our)) = (their, our) else {
            add(format!("{} > {}", kind(their), kind(our)));
            continue;
        };
        for (field, their, our) in fields(their, our) {
            if their != our {
                add(format!("{field} {their} > {our}"));
            }
        }
        if their.data == our.data {
            continue;
        }
        match (theirs.texts.get(path), ours.texts.get(path)) {
            (Some(their), Some(our)) => texts(their, our).into_iter().for_each(add),
            _ => add(format!("data {} > {}", their.data, our.data)),
        }
    }
    found
}

fn kind(entry: Option<&Entry>) -> String {
    entry.map_or_else(|| "nothing".to_owned(), |entry| entry.kind.clone())
}

fn fields(their: &Entry, our: &Entry) -> [(&'static str, String, String); 6] {
    let pair = |name, of: &dyn Fn(&Entry) -> String| (name, of(their), of(our));
    [
        pair("type", &|entry| entry.kind.clone()),
        pair("mode", &|entry| format!("{:04o}", entry.mode)),
        pair("owner", &|entry| format!("{:?}", entry.owner)),
        pair("mtime", &|entry| entry.mtime.to_string()),
        pair("xattrs", &|entry| format!("{:?}", entry.xattrs)),
        pair("origin", &|entry| format!("{:?}", entry.origin)),
    ]
}

/// JSON is compared by value, member by member.
fn texts(their: &str, our: &str) -> Vec<String> {
    let (Ok(their_json), Ok(our_json)) = (serde_json::from_str(their), serde_json::from_str(our))
    else {
        return vec![format!("text:\n{their}\n>\n{our}")];
    };
    let mut found = Vec::new();
    values("", &their_json, &our_json, &mut found);
    if found.is_empty() {
        found.push("the same value, spelled differently".to_owned());
    }
    found
}

fn values(at: &str, their: &Value, our: &Value, found: &mut Vec<String>) {
    match (their, our) {
        (Value::Object(their), Value::Object(our)) => {
            let keys: BTreeSet<&String> = their.keys().chain(our.keys()).collect();
            for key in keys {
                let at = format!("{at}/{key}");
                match (their.get(key), our.get(key)) {
                    (Some(their), Some(our)) => values(&at, their, our, found),
                    (Some(their), None) => found.push(format!("{at} {their} > nothing")),
                    (None, Some(our)) => found.push(format!("{at} nothing > {our}")),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(their), Value::Array(our)) if their.len() == our.len() => {
            for (index, (their, our)) in their.iter().zip(our).enumerate() {
                values(&format!("{at}/{index}"), their, our, found);
            }
        }
        (their, our) if their == our => {}
        (their, our) => found.push(format!("{at} {their} > {our}")),
    }
}
