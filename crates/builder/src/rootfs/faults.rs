//! Errors that are independent of one another, so that all are told at once.

use super::Error;

/// The errors up to now.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Error>);

impl Faults {
    /// Keeps an error; the value if there is none.
    pub(super) fn take<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(Error::Many(errors)) => {
                self.0.extend(errors);
                None
            }
            Err(error) => {
                self.0.push(error);
                None
            }
        }
    }

    /// `value`, or all errors. One that only says that the work was stopped stands alone.
    pub(super) fn or<T>(mut self, value: T) -> Result<T, Error> {
        if let Some(stopped) = self.0.iter().position(Error::is_cancelled) {
            return Err(self.0.swap_remove(stopped));
        }
        match self.0.len() {
            0 => Ok(value),
            1 => Err(self.0.swap_remove(0)),
            _ => Err(Error::Many(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(name: &str) -> Result<(), Error> {
        Err(Error::VolumeName {
            name: name.to_owned(),
        })
    }

    #[test]
    fn one_is_itself_and_several_are_told_line_by_line() {
        assert_eq!(Faults::default().or(1).unwrap(), 1);
        let mut faults = Faults::default();
        assert!(faults.take(volume("A")).is_none());
        let one = faults.or(()).unwrap_err();
        assert!(matches!(one, Error::VolumeName { .. }), "{one}");
        let mut faults = Faults::default();
        faults.take(volume("A"));
        faults.take(volume("B"));
        let two = faults.or(());
        let mut faults = Faults::default();
        faults.take(volume("C"));
        faults.take(two);
        let text = faults.or(()).unwrap_err().to_string();
        let names: Vec<_> = text
            .lines()
            .map(|line| line.contains("invalid volume name"))
            .collect();
        assert_eq!(names, [true; 3], "{text}");
    }
}
