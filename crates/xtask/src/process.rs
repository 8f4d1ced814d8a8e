//! Running other programs, with errors that say which one failed and why.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// How much of a failed program's standard error is repeated, in lines.
const TAIL: usize = 20;

/// The command line as a person would type it, for messages.
pub(crate) fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs with this process's own standard streams.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs and returns standard output; standard error shows only in the error.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    if !output.status.success() {
        bail!(
            "{} failed ({}):\n{}",
            shown(command),
            output.status,
            tail(&output.stderr)
        );
    }
    Ok(output.stdout)
}

/// Runs and returns standard output; all of what it printed shows if it fails.
pub(crate) fn quietly(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        eprint!("{said}{}", String::from_utf8_lossy(&output.stderr));
        bail!("{} failed ({})", shown(command), output.status);
    }
    Ok(said)
}

/// The last lines of a program's output.
pub(crate) fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_its_last_words() {
        let error = output(Command::new("sh").args(["-c", "echo broken >&2; exit 3"]))
            .unwrap_err()
            .to_string();
        assert!(error.contains("sh -c") && error.contains("3") && error.ends_with("broken"));
        assert!(run(&mut Command::new("/no/such/program")).is_err());
    }

    #[test]
    fn a_quiet_run_returns_what_was_said() {
        let said = quietly(Command::new("sh").args(["-c", "echo a; echo b >&2"])).unwrap();
        assert_eq!(said, "a\n");
        assert!(quietly(&mut Command::new("false")).is_err());
    }

    #[test]
    fn the_tail_is_bounded() {
        let long = "line\n".repeat(1000);
        assert_eq!(tail(long.as_bytes()).lines().count(), TAIL);
    }
}
