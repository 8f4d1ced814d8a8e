//! The power button: clouds and hypervisors stop a machine by pressing it, and without a reader
//! of the input device nothing happens.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use crate::console::say;
use crate::shutdown::Goal;
use crate::signals;
use crate::sync::lock;

const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;

/// `struct input_event` with 64-bit time: seconds, microseconds, type, code, value.
const EVENT: usize = 24;

static WATCHED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Starts a reader for every device with a power key that has none yet.
pub(crate) fn watch_buttons() {
    let devices = fs::read_dir("/sys/class/input").into_iter().flatten();
    for device in devices.flatten() {
        let Ok(name) = device.file_name().into_string() else {
            continue;
        };
        let keys = device.path().join("device/capabilities/key");
        if name.starts_with("event")
            && fs::read_to_string(keys).is_ok_and(|keys| has_key(&keys, KEY_POWER))
            && lock(&WATCHED).insert(name.clone())
        {
            let path = Path::new("/dev/input").join(&name);
            let started = thread::Builder::new()
                .name("power-button".to_owned())
                .spawn(move || {
                    if let Err(error) = watch(&path) {
                        say!("nodeimage: no power button at {}: {error}", path.display());
                    }
                    lock(&WATCHED).remove(&name);
                });
            if let Err(error) = started {
                say!("nodeimage: cannot watch the power button: {error}");
            }
        }
    }
}

/// Reads a device until it goes away.
fn watch(path: &Path) -> std::io::Result<()> {
    let mut device = File::open(path)?;
    let mut events = [0; EVENT * 16];
    loop {
        let length = match device.read(&mut events) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            // Unplugged.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if is_pressed(events.get(..length).unwrap_or_default()) {
            say!("nodeimage: the power button was pressed");
            let signal = signals::signal_for(Goal::PowerOff);
            // To ourselves: a press is a request like any other.
            rustix::process::kill_process(rustix::process::getpid(), signal)?;
        }
    }
}

/// Whether one of these events is the power key going down.
fn is_pressed(events: &[u8]) -> bool {
    events.chunks_exact(EVENT).any(|event| {
        let number = |at: usize| {
            let bytes = event.get(at..at + 2)?.try_into().ok()?;
            Some(u16::from_ne_bytes(bytes))
        };
        number(16) == Some(EV_KEY)
            && number(18) == Some(KEY_POWER)
            && event.get(20..24) == Some(&1_i32.to_ne_bytes()[..])
    })
}

/// Whether the kernel's bitmap of keys (hexadecimal words, the highest first) has this one.
fn has_key(bitmap: &str, key: u16) -> bool {
    const BITS: usize = usize::BITS as usize;
    let key = usize::from(key);
    bitmap
        .split_whitespace()
        .rev()
        .nth(key / BITS)
        .and_then(|word| usize::from_str_radix(word, 16).ok())
        .is_some_and(|word| word >> (key % BITS) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn bitmaps() {
        // The ACPI power button of QEMU, and a keyboard.
        assert!(has_key("10000000000000 0\n", KEY_POWER));
        assert!(!has_key(
            "402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe",
            200
        ));
        assert!(
            !has_key("0\n", KEY_POWER) && !has_key("", KEY_POWER) && !has_key("zz 0", KEY_POWER)
        );
    }

    #[test]
    fn presses_not_releases() {
        let event = |kind: u16, code: u16, value: i32| {
            let mut bytes = vec![0; 16];
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(code.to_ne_bytes());
            bytes.extend(value.to_ne_bytes());
            bytes
        };
        let down = event(EV_KEY, KEY_POWER, 1);
        let up = event(EV_KEY, KEY_POWER, 0);
        let other = event(EV_KEY, 30, 1);
        assert!(is_pressed(&[other.clone(), down.clone()].concat()));
        assert!(!is_pressed(&[up, other].concat()));
        assert!(!is_pressed(&down[..20]));
    }
}
