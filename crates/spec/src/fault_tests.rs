use super::*;

fn place(line: &str, column: usize, length: usize) -> Place {
    Place {
        document: 0,
        line: 7,
        column,
        name: "a.yml".to_owned(),
        length,
        excerpt: excerpt(line, column),
    }
}

#[test]
fn looks_like_a_compiler_s() {
    let fault = Fault::new("a.b", "wrong")
        .help("do right")
        .at(place("a: b\tc", 4, 99));
    assert_eq!(
        fault.to_string(),
        "error: wrong\n --> a.yml:7:4\n  |\n7 | a: b c\n  |    ^^^\n  = help: do right"
    );
    let fault = Fault::new("a.b", "wrong").help("do right");
    assert_eq!(
        fault.to_string(),
        "error: wrong\n --> a.b\n  = help: do right"
    );
    assert_eq!(Fault::new("", "wrong").to_string(), "error: wrong");
}

#[test]
fn long_lines_are_cut_around_the_caret() {
    let line = format!("{}HERE{}", "a".repeat(1000), "b".repeat(1000));
    let found = excerpt(&line, 1001).unwrap();
    assert!(found.text.chars().count() <= EXCERPT_CHARS + 2);
    let at = found.text.char_indices().nth(found.column - 1).unwrap().0;
    assert!(found.text[at..].starts_with("HERE"), "{found:?}");
    assert_eq!(excerpt(&"x".repeat(10_000), 5), None);
    // Beyond the end of the line, as at the end of a text.
    let beyond = place("a", 3, 1);
    assert!(
        Fault::new("", "x")
            .at(beyond)
            .to_string()
            .ends_with("7 | a\n  |   ^")
    );
}

#[test]
fn parts_are_there_for_machines() {
    let fault = Fault::new("services[0].name", "wrong").at(place("abc", 2, 1));
    let json = serde_json::to_value(Faults::from(fault)).unwrap();
    assert_eq!(json[0]["path"], "services[0].name");
    assert_eq!(json[0]["severity"], "error");
    assert_eq!(json[0]["place"]["line"], 7);
    assert_eq!(json[0]["place"]["document"], 0);
    assert_eq!(json[0]["place"]["excerpt"]["text"], "abc");
}

#[test]
fn values_in_messages_are_tame() {
    assert_eq!(quoted("a\u{1b}[31m\n"), "`a\\u{1b}[31m\\n`");
    assert!(quoted(&"x".repeat(1 << 20)).len() < 200);
    assert!(!quoted("postgres://me:hunter2@db/").contains("hunter2"));
}

#[test]
fn order_and_severity() {
    let at = |line: usize| Place {
        line,
        ..place("a", 1, 1)
    };
    let mut faults: Faults = [3, 1, 2]
        .map(|line| Fault::new("", "x").at(at(line)))
        .into_iter()
        .collect();
    faults.push(Fault::new("", "x").at(at(1)));
    faults.sort();
    let lines: Vec<usize> = faults
        .iter()
        .map(|fault| fault.place.as_ref().unwrap().line)
        .collect();
    assert_eq!(lines, [1, 2, 3]);
    let warning = Fault {
        severity: Severity::Warning,
        ..Fault::new("", "x")
    };
    assert_eq!(Faults::from(warning).or(5), Ok(5));
}
