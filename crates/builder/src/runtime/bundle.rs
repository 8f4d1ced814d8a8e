//! One container's bundle: where it lies and its two files.

use nodeimage_images::ImageConfig;
use nodeimage_spec::model::{Container, Options};

use super::merge::merge;
use super::oci::{Config, Linux, Process, Root, User, VERSION};
use super::prepare::Prepare;
use super::resources::Resources;
use super::volumes::Unknown;
use super::{
    Error, ErrorKind, NamedIds, Section, Volumes, capabilities, devices, gojson, mounts,
    namespaces, rlimits,
};

/// All that decides a bundle.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The section.
    pub section: Section,
    /// The index in it, from 0.
    pub index: usize,
    /// The entry.
    pub container: &'a Container,
    /// The image's parsed `org.mobyproject.config` label.
    pub label: Option<&'a Options>,
    /// The image's configuration.
    pub image: &'a ImageConfig,
    /// The spec's named ids.
    pub ids: &'a NamedIds,
    /// The spec's volumes.
    pub volumes: &'a Volumes,
    /// Where an earlier container has put the files of the same image, relative to the root.
    pub first_copy: Option<&'a str>,
}

/// A bundle, made of everything but the image's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Its directory, relative to the root: `containers/services/web`.
    pub path: String,
    /// Where the image's files lie, relative to the root: below `path` unless an earlier container
    /// has them.
    pub files: String,
    /// Whether the container's root is read-only: then it has no `tmp` and no `lower`.
    pub readonly: bool,
    /// `config.json`.
    pub config_json: Vec<u8>,
    /// `runtime.json`.
    pub runtime_json: Vec<u8>,
}

/// Makes the bundle of a container. Pure: needs nothing but the image's configuration and label.
pub fn render(request: &Request<'_>) -> Result<Bundle, Error> {
    let Request {
        section,
        index,
        container,
        ..
    } = request;
    make(request).map_err(|(key, kind)| Error {
        container: format!("{}[{index}] ({})", section.name(), container.name),
        key,
        kind,
    })
}

fn make(request: &Request<'_>) -> Result<Bundle, (&'static str, ErrorKind)> {
    let path = request
        .section
        .bundle(request.index, &request.container.name)
        .map_err(|kind| ("name", kind))?;
    let mut yaml = request.container.options.clone();
    request.volumes.replace(&mut yaml, Unknown::Refuse)?;
    let mut label = request.label.cloned().unwrap_or_default();
    request.volumes.replace(&mut label, Unknown::Keep)?;
    let mut options = merge(yaml, label, request.image);
    let readonly = options.readonly.unwrap_or(false);
    let files = match request.first_copy {
        Some(first) => first.to_owned(),
        None if readonly => format!("{path}/rootfs"),
        None => format!("{path}/lower"),
    };
    let runtime = options.runtime.take().unwrap_or_default();
    let prepare = Prepare::new(&path, &files, readonly, runtime);
    let config = config(options, readonly, request.ids)?;
    let json = |error: serde_json::Error| ErrorKind::Json {
        reason: error.to_string(),
    };
    Ok(Bundle {
        config_json: gojson::to_vec(&config, "    ").map_err(|e| ("config.json", json(e)))?,
        runtime_json: gojson::to_vec(&prepare, "    ").map_err(|e| ("runtime.json", json(e)))?,
        path,
        files,
        readonly,
    })
}

fn config(
    options: Options,
    readonly: bool,
    ids: &NamedIds,
) -> Result<Config, (&'static str, ErrorKind)> {
    let mounts = mounts::list(&options, readonly)?;
    let namespaces = namespaces::list(&options);
    let effective = capabilities::expand(&options.capabilities.unwrap_or_default())
        .map_err(|kind| ("capabilities", kind))?;
    let ambient = capabilities::expand(&options.ambient.unwrap_or_default())
        .map_err(|kind| ("ambient", kind))?;
    let limits = options
        .rlimits
        .iter()
        .flatten()
        .map(|text| rlimits::parse(text));
    let rlimits = limits
        .collect::<Result<_, _>>()
        .map_err(|kind| ("rlimits", kind))?;
    let groups = options
        .additional_gids
        .iter()
        .flatten()
        .map(|id| ids.resolve(id));
    let user = User {
        uid: ids
            .resolve_or_root(options.uid.as_ref())
            .map_err(|kind| ("uid", kind))?,
        gid: ids
            .resolve_or_root(options.gid.as_ref())
            .map_err(|kind| ("gid", kind))?,
        additional_gids: groups
            .collect::<Result<_, _>>()
            .map_err(|kind| ("additionalGids", kind))?,
    };
    let mut resources =
        Resources::parse(options.resources.as_ref()).map_err(|kind| ("resources", kind))?;
    let (devices, rules) =
        devices::list(&options.devices.unwrap_or_default()).map_err(|kind| ("devices", kind))?;
    resources.devices.extend(rules);
    Ok(Config {
        oci_version: VERSION,
        process: Process {
            user,
            args: options.command.unwrap_or_default(),
            env: options.env.unwrap_or_default(),
            cwd: options
                .cwd
                .filter(|cwd| !cwd.is_empty())
                .unwrap_or_else(|| "/".to_owned()),
            capabilities: capabilities::sets(effective, ambient),
            rlimits,
            no_new_privileges: options.no_new_privileges.unwrap_or(false),
            oom_score_adj: options.oom_score_adj,
        },
        root: Root {
            path: "rootfs",
            readonly,
        },
        hostname: options.hostname.unwrap_or_default(),
        mounts,
        annotations: options.annotations.unwrap_or_default(),
        linux: Linux {
            uid_mappings: options.uid_mappings.unwrap_or_default(),
            gid_mappings: options.gid_mappings.unwrap_or_default(),
            sysctl: options.sysctl.unwrap_or_default(),
            resources,
            cgroups_path: options.cgroups_path.unwrap_or_default(),
            namespaces,
            devices,
            rootfs_propagation: options.rootfs_propagation.unwrap_or_default(),
            masked_paths: options.masked_paths.unwrap_or_default(),
            readonly_paths: options.readonly_paths.unwrap_or_default(),
        },
    })
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
