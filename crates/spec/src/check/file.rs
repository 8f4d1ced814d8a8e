//! Entries of `files`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Check, parse_mode};
use crate::fault::{Fault, quoted};
use crate::model::FileEntry;

const KINDS: [&str; 5] = ["directory", "symlink", "contents", "source", "metadata"];

impl Check<'_> {
    pub(super) fn file(&mut self, path: &str, file: &FileEntry) {
        // An entry that could not be read at all.
        if self.broken.contains(path) {
            return;
        }
        self.file_path(path, file);
        self.file_content(path, file);
        self.id(&format!("{path}.uid"), file.uid.as_ref());
        self.id(&format!("{path}.gid"), file.gid.as_ref());
        if let Some(mode) = &file.mode
            && parse_mode(mode).is_none()
        {
            let fault = Fault::new(
                format!("{path}.mode"),
                format!("{} is no octal mode", quoted(mode)),
            );
            self.fault(fault.help("write it like `\"0644\"`"));
        }
        if let Some(metadata) = &file.metadata
            && !matches!(metadata.as_str(), "yaml" | "json")
        {
            let message = format!("unsupported kind of metadata {}", quoted(metadata));
            self.fault(
                Fault::new(format!("{path}.metadata"), message).help("it is `yaml` or `json`"),
            );
        }
    }

    fn file_path(&mut self, path: &str, file: &FileEntry) {
        let at = format!("{path}.path");
        if self.broken(&at) {
            return;
        }
        let name = file.path.strip_prefix('/').unwrap_or(&file.path);
        let name_of = quoted(&file.path);
        let fault = if file.path.is_empty() {
            // An unknown key may be a misspelled `path`; that one is reported.
            if self.broken(path) {
                return;
            }
            Fault::new(at, "an entry of `files` needs a path")
        } else if name.contains('\0') {
            Fault::new(at, "the path holds a NUL character")
        } else if name.split('/').any(|part| part == "..") {
            Fault::new(at, format!("the path {name_of} leaves the root"))
                .help("write it without `..`")
        } else if name.split('/').all(|part| part.is_empty() || part == ".") {
            Fault::new(at, format!("the path {name_of} is the root itself"))
        } else if name.ends_with('/') && file.directory.is_none() {
            Fault::new(
                at,
                format!("the path {name_of} ends with `/` and is no directory"),
            )
            .help("remove the `/`, or add `directory: true`")
        } else {
            return;
        };
        self.fault(fault);
    }

    fn file_content(&mut self, path: &str, file: &FileEntry) {
        let given = [
            file.directory == Some(true),
            file.symlink.is_some(),
            file.contents.is_some() || file.contents_base64.is_some(),
            file.source.is_some(),
            file.metadata.is_some(),
        ];
        let kinds: Vec<&str> = KINDS
            .into_iter()
            .zip(given)
            .filter_map(|(kind, given)| given.then_some(kind))
            .collect();
        match kinds[..] {
            [_] => {}
            [] => {
                if self.broken(path) {
                    return;
                }
                let message = format!("the contents of {} are not specified", quoted(&file.path));
                self.fault(Fault::new(path, message).help(
                    "give one of `contents`, `source`, `metadata`, `symlink` or `directory: true`",
                ));
            }
            [first, second, ..] => {
                let message = format!("{} has both `{first}` and `{second}`", quoted(&file.path));
                self.fault(
                    Fault::new(format!("{path}.{second}"), message).help("keep one of the two"),
                );
            }
        }
        if let Some(packed) = &file.contents_base64
            && STANDARD.decode(packed).is_err()
        {
            self.fault(Fault::new(path, "`contents_base64` holds no valid base64"));
        }
        if file.contents.is_some() && file.contents_base64.is_some() {
            self.fault(Fault::new(
                path,
                "both `contents` and `contents_base64` are given",
            ));
        }
        if let Some(target) = &file.symlink
            && target.contains('\0')
        {
            self.fault(Fault::new(
                format!("{path}.symlink"),
                "the target holds a NUL character",
            ));
        }
    }
}
