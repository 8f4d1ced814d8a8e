//! `nodeimage-init`: the init of a nodeimage machine.
//!
//! As process 1 it carries out LinuxKit's boot contract (mounts, drivers, volumes, onboot,
//! services, onshutdown) with the image's own `runc` or `crun`. Under other names, or not as
//! process 1, it is the small set of commands that talk to it: see [`cli`].

// The standard library's start-up aborts when a standard stream is closed and /dev/null does
// not exist, which is what process 1 finds on a machine without a console.
#![cfg_attr(not(test), no_main)]

mod boot;
mod cli;
mod cmdline;
mod console;
mod container;
mod emergency;
mod error;
mod exit;
mod host;
mod init;
mod machine;
mod modules;
mod mounts;
mod net;
mod onboot;
mod power;
mod reaper;
mod root;
mod scripts;
mod services;
mod shutdown;
mod signals;
mod sync;
mod volumes;
mod xattrs;

/// Takes the role that the process id asks for; returns the exit status of a command.
fn enter() -> core::ffi::c_int {
    if std::process::id() == 1 {
        init::run()
    } else {
        cli::run(std::env::args_os().collect())
    }
}

#[cfg(not(test))]
#[expect(
    unsafe_code,
    reason = "the C entry point; the standard library's own needs open standard streams"
)]
#[unsafe(no_mangle)]
extern "C" fn main(_count: core::ffi::c_int, _arguments: *const *const u8) -> core::ffi::c_int {
    enter()
}

// The tests' own `main` takes the place of ours.
#[cfg(test)]
const _: fn() -> core::ffi::c_int = enter;
