//! Device nodes and the cgroup rules that open them.

use nodeimage_spec::model::Device as Wanted;

use super::oci::Device;
use super::resources::DeviceRule;
use super::{ErrorKind, octal};

/// The nodes to make, and one rule for each entry. The path `all` makes no node: its rule opens
/// every device of the type.
pub(super) fn list(wanted: &[Wanted]) -> Result<(Vec<Device>, Vec<DeviceRule>), ErrorKind> {
    let mut devices = Vec::new();
    let mut rules = Vec::with_capacity(wanted.len());
    for device in wanted {
        let kind = device.kind.clone().unwrap_or_default();
        let mut rule = DeviceRule {
            allow: true,
            kind: kind.clone(),
            access: "rwm".to_owned(),
            ..DeviceRule::default()
        };
        if device.path != "all" {
            let file_mode =
                octal::parse(device.mode.as_deref().unwrap_or_default()).map_err(|reason| {
                    ErrorKind::DeviceMode {
                        path: device.path.clone(),
                        reason,
                    }
                })?;
            let (major, minor) = (device.major.unwrap_or(0), device.minor.unwrap_or(0));
            (rule.major, rule.minor) = (Some(major), Some(minor));
            devices.push(Device {
                path: device.path.clone(),
                kind,
                major,
                minor,
                file_mode,
            });
        }
        rules.push(rule);
    }
    Ok((devices, rules))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(path: &str, mode: Option<&str>) -> Wanted {
        Wanted {
            path: path.into(),
            kind: Some("c".into()),
            major: Some(5),
            minor: Some(1),
            mode: mode.map(Into::into),
        }
    }

    #[test]
    fn a_node_with_its_rule_and_a_rule_for_all() {
        let (devices, rules) =
            list(&[device("/dev/console", Some("0620")), device("all", None)]).unwrap();
        assert_eq!(
            devices,
            [Device {
                path: "/dev/console".into(),
                kind: "c".into(),
                major: 5,
                minor: 1,
                file_mode: 0o620
            }]
        );
        assert_eq!(
            serde_json::to_string(&rules).unwrap(),
            concat!(
                r#"[{"allow":true,"type":"c","major":5,"minor":1,"access":"rwm"},"#,
                r#"{"allow":true,"type":"c","access":"rwm"}]"#
            )
        );
    }

    #[test]
    fn a_mode_must_be_given_and_octal() {
        for mode in [None, Some(""), Some("rw"), Some("0999"), Some("-1")] {
            let error = list(&[device("/dev/x", mode)]).unwrap_err();
            let text = error.to_string();
            assert!(
                text.starts_with("cannot parse device mode of /dev/x as octal value"),
                "{text}"
            );
        }
    }
}
