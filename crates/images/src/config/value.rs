//! Values of TOML with their lines.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Fault;

/// The faults found so far, and the text they stand in.
pub(super) struct Reader<'t> {
    text: &'t str,
    faults: Vec<Fault>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            faults: Vec::new(),
        }
    }

    pub(super) fn into_faults(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| fault.line);
        self.faults
    }

    pub(super) fn fault(&mut self, span: Range<usize>, message: impl Into<String>) {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        self.faults.push(Fault {
            line: Some(line),
            message: message.into(),
        });
    }

    pub(super) fn table<'v, 'i>(
        &mut self,
        name: &str,
        value: &'v Spanned<DeValue<'i>>,
    ) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(name, value, "a table");
        }
        table
    }

    pub(super) fn string<'v>(
        &mut self,
        name: &str,
        value: &'v Spanned<DeValue<'_>>,
    ) -> Option<&'v str> {
        let string = value.get_ref().as_str();
        match string {
            None => self.wrong_type(name, value, "a string"),
            Some("") => self.fault(value.span(), format!("{name} is empty")),
            Some(_) => {}
        }
        string.filter(|string| !string.is_empty())
    }

    pub(super) fn bool(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<bool> {
        let bool = value.get_ref().as_bool();
        if bool.is_none() {
            self.wrong_type(name, value, "true or false");
        }
        bool
    }

    /// A whole number from 1 to `most`.
    pub(super) fn count(
        &mut self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        most: u64,
    ) -> Option<u64> {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok());
        let number = number.filter(|number| (1..=most).contains(number));
        if number.is_none() {
            self.fault(
                value.span(),
                format!("{name} must be a whole number from 1 to {most}"),
            );
        }
        number
    }

    pub(super) fn unknown(&mut self, span: Range<usize>, key: &str, known: &[&str]) {
        let near = known
            .iter()
            .map(|known| (strsim::damerau_levenshtein(key, known), *known))
            .filter(|(distance, known)| *distance <= known.len() / 2)
            .min();
        let hint = match near {
            Some((_, known)) => format!("; did you mean {known:?}?"),
            None => format!("; known are {}", known.join(", ")),
        };
        self.fault(span, format!("unknown key {key:?}{hint}"));
    }

    fn wrong_type(&mut self, name: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = value.get_ref().type_str();
        self.fault(
            value.span(),
            format!("{name} must be {expected}, not {found}"),
        );
    }
}
