//! The kernel command line, with the kernel's own rules: parameters are separated by blanks,
//! double quotes protect blanks, `-` and `_` are the same in names, the last value wins.

use std::fs;

/// Longest command line read, bytes; every architecture's limit is lower.
const LIMIT: usize = 64 * 1024;

/// A parsed command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cmdline {
    parameters: Vec<(String, Option<String>)>,
}

impl Cmdline {
    /// The running kernel's, empty when /proc is not there.
    pub(crate) fn of_kernel() -> Self {
        let text = fs::read("/proc/cmdline").unwrap_or_default();
        let text = text.get(..LIMIT).unwrap_or(&text);
        Self::parse(&String::from_utf8_lossy(text))
    }

    /// Parses `text`; what follows a lone `--` belongs to init's arguments and is left out.
    pub(crate) fn parse(text: &str) -> Self {
        let mut parameters = Vec::new();
        for word in words(text) {
            if word == "--" {
                break;
            }
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            if !name.is_empty() {
                parameters.push((name.to_owned(), value));
            }
        }
        Self { parameters }
    }

    /// The last value of `name`; a parameter without `=` has the empty value.
    pub(crate) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).last()
    }

    /// All values of `name`, split at commas.
    pub(crate) fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name)
            .flat_map(|value| value.split(','))
            .filter(|item| !item.is_empty())
    }

    /// Whether `name` is set to `1`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.value(name) == Some("1")
    }

    /// Parameters meant for a kernel module (`MODULE.PARAMETER=VALUE`), in order.
    pub(crate) fn of_module(&self, module: &str) -> Vec<String> {
        self.parameters
            .iter()
            .filter_map(|(name, value)| {
                let (owner, parameter) = name.split_once('.')?;
                same_name(owner, module).then(|| match value {
                    Some(value) if value.contains(char::is_whitespace) => {
                        format!("{parameter}=\"{value}\"")
                    }
                    Some(value) => format!("{parameter}={value}"),
                    None => parameter.to_owned(),
                })
            })
            .collect()
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters
            .iter()
            .filter(move |(known, _)| same_name(known, name))
            .map(|(_, value)| value.as_deref().unwrap_or_default())
    }
}

fn same_name(a: &str, b: &str) -> bool {
    let normal = |c| if c == b'-' { b'_' } else { c };
    a.len() == b.len() && a.bytes().map(normal).eq(b.bytes().map(normal))
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut started = false;
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                started = true;
            }
            c if c.is_whitespace() && !quoted => {
                if started {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
            }
            c => {
                word.push(c);
                started = true;
            }
        }
    }
    if started {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_value_wins_and_dashes_are_underscores() {
        let line = Cmdline::parse("quiet a-b=1 console=ttyS0 a_b=2 console=tty0\n");
        assert_eq!(line.value("a_b"), Some("2"));
        assert_eq!(line.value("console"), Some("tty0"));
        assert_eq!(line.value("quiet"), Some(""));
        assert_eq!(line.value("nothing"), None);
    }

    #[test]
    fn quotes_protect_blanks_around_word_or_value() {
        let line = Cmdline::parse(r#"x="a b" "y=c d" z"#);
        assert_eq!(line.value("x"), Some("a b"));
        assert_eq!(line.value("y"), Some("c d"));
        assert_eq!(line.value("z"), Some(""));
    }

    #[test]
    fn arguments_of_init_are_not_parameters() {
        let line = Cmdline::parse("a=1 -- a=2");
        assert_eq!(line.value("a"), Some("1"));
    }

    #[test]
    fn lists_join_every_occurrence() {
        let line = Cmdline::parse("modprobe.blacklist=a,b modprobe.blacklist=c,");
        let list: Vec<_> = line.list("modprobe.blacklist").collect();
        assert_eq!(list, ["a", "b", "c"]);
    }

    #[test]
    fn module_parameters_keep_order_and_quotes() {
        let line = Cmdline::parse(r#"virtio-net.a=1 loop.max=4 virtio_net.b virtio_net.c="x y""#);
        assert_eq!(line.of_module("virtio_net"), ["a=1", "b", "c=\"x y\""]);
    }

    #[test]
    fn flags_are_one() {
        let line = Cmdline::parse("a=1 b=0 c");
        assert!(line.flag("a") && !line.flag("b") && !line.flag("c") && !line.flag("d"));
    }
}
