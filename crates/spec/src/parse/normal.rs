//! Values that LinuxKit takes for "not given" are made so, that a spec has one form and one id.
//!
//! Only those: an empty list or `readonly: false` of a container says something, it overrides the
//! image's label.

use crate::model::{Device, FileEntry, Interface, Kernel, Mount, Options, Spec};

/// Normalizes in place. Returns the paths of `files` entries of which one kind of content is
/// ignored: a directory wins over a symbolic link, and that over text.
pub(super) fn normalize(spec: &mut Spec) -> Vec<String> {
    if spec.kernel.as_ref() == Some(&Kernel::default()) {
        spec.kernel = None;
    }
    for container in spec
        .onboot
        .iter_mut()
        .chain(&mut spec.onshutdown)
        .chain(&mut spec.services)
    {
        options(&mut container.options);
    }
    for volume in &mut spec.volumes {
        clear([&mut volume.image, &mut volume.format]);
        unset(&mut volume.readonly);
    }
    let mut ignored = Vec::new();
    for (index, file) in spec.files.iter_mut().enumerate() {
        if file_entry(file) {
            ignored.push(format!("files[{index}]"));
        }
    }
    ignored
}

/// The same for a container or a label.
pub(super) fn options(options: &mut Options) {
    clear([
        &mut options.cwd,
        &mut options.net,
        &mut options.ipc,
        &mut options.uts,
        &mut options.pid,
        &mut options.userns,
        &mut options.hostname,
    ]);
    options.mounts.iter_mut().flatten().for_each(mount);
    options.devices.iter_mut().flatten().for_each(device);
    if let Some(runtime) = &mut options.runtime {
        runtime.mounts.iter_mut().flatten().for_each(mount);
        runtime.interfaces.iter_mut().flatten().for_each(interface);
    }
}

fn mount(mount: &mut Mount) {
    clear([&mut mount.destination, &mut mount.kind, &mut mount.source]);
}

fn device(device: &mut Device) {
    clear([&mut device.kind, &mut device.mode]);
}

fn interface(interface: &mut Interface) {
    clear([&mut interface.name, &mut interface.add, &mut interface.peer]);
    unset(&mut interface.create_in_root);
}

fn file_entry(file: &mut FileEntry) -> bool {
    clear([
        &mut file.symlink,
        &mut file.source,
        &mut file.metadata,
        &mut file.mode,
    ]);
    unset(&mut file.directory);
    unset(&mut file.optional);
    let directory = file.directory.is_some();
    let link = directory && file.symlink.take().is_some();
    // A directory with contents is a fault and stays one.
    let text = !directory && file.symlink.is_some() && file.contents.take().is_some();
    link || text
}

fn clear<const N: usize>(texts: [&mut Option<String>; N]) {
    for text in texts {
        if text.as_deref() == Some("") {
            *text = None;
        }
    }
}

fn unset(flag: &mut Option<bool>) {
    if *flag == Some(false) {
        *flag = None;
    }
}
