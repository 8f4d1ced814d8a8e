//! The image's own scripts: executables in /etc/init.d and /etc/shutdown.d, run in the order of
//! their names. LinuxKit's roles are links there to /usr/bin/service; we have those roles built
//! in and leave the links alone.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::console::say;
use crate::container::runtime::PATH;
use crate::machine::Machine;

/// LinuxKit's program of many roles.
const SERVICE: &str = "/usr/bin/service";

/// The scripts of `folder` in order.
pub(crate) fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut scripts: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| is_script(path))
        .collect();
    scripts.sort();
    scripts
}

fn is_script(path: &Path) -> bool {
    let target = fs::canonicalize(path).unwrap_or_default();
    let role = target == Path::new(SERVICE)
        || fs::read_link(path).is_ok_and(|target| target == Path::new(SERVICE));
    !role
        && fs::metadata(path)
            .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Runs one script to its end; what it writes goes to the consoles, and so does its failure.
pub(crate) fn run(machine: &Machine, script: &Path) {
    let (reader, writer) = match std::io::pipe() {
        Ok(ends) => ends,
        Err(error) => return say!("nodeimage: cannot run {}: {error}", script.display()),
    };
    let mut command = Command::new(script);
    command
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::null());
    match writer.try_clone() {
        Ok(copy) => command.stdout(copy).stderr(writer),
        Err(_) => command.stdout(writer).stderr(Stdio::null()),
    };
    let (done, finished) = channel();
    // Of its own, and outliving the script: something it left behind may still write.
    let relay = thread::Builder::new()
        .name("script-output".to_owned())
        .spawn(move || {
            relay(reader);
            let _ = done.send(());
        });
    if let Err(error) = relay {
        say!(
            "nodeimage: the output of {} is lost: {error}",
            script.display()
        );
    }
    let result = machine.reaper.run(&mut command);
    drop(command);
    // So that its output comes before our verdict; not for ever, see above.
    let _ = finished.recv_timeout(Duration::from_millis(500));
    match result {
        Ok(exit) if exit.success() => {}
        Ok(exit) => say!("nodeimage: {} failed ({exit})", script.display()),
        Err(error) => say!("nodeimage: {error}"),
    }
}

fn relay(reader: impl Read) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without end is passed on in pieces.
        match reader.by_ref().take(4096).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => say!("{}", String::from_utf8_lossy(&line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn executables_but_no_roles() {
        let dir = tempfile::tempdir().unwrap();
        let script = |name: &str, mode: u32| {
            let path = dir.path().join(name);
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let b = script("020-b", 0o755);
        let a = script("010-a", 0o700);
        script("015-data", 0o644);
        symlink(SERVICE, dir.path().join("010-onboot")).unwrap();
        symlink("020-b", dir.path().join("030-link")).unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        assert_eq!(list(dir.path()), [a, b, dir.path().join("030-link")]);
        assert!(list(&dir.path().join("none")).is_empty());
    }
}
