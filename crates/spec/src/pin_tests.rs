use super::*;
use crate::lock::LockedBoot;
use crate::locked::{Codec, Firmware};
use crate::parse::{Document, parse};

const AMD64: Architecture = Architecture::Amd64;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn spec(text: &str) -> Spec {
    parse(&[Document {
        name: "a.yml",
        text,
    }])
    .unwrap_or_else(|faults| panic!("{faults}"))
    .spec
}

fn image(name: &str) -> LockedImage {
    LockedImage {
        digest: digest(name),
        platforms: BTreeMap::from([("linux/amd64".to_owned(), digest(&format!("{name}-amd64")))]),
    }
}

pub(crate) fn lock(names: &[&str]) -> Lock {
    Lock {
        images: names
            .iter()
            .map(|name| ((*name).to_owned(), image(name)))
            .collect(),
        boot: Some(LockedBoot {
            digest: digest("boot"),
            platforms: BTreeMap::new(),
            parts: BTreeMap::from([(
                "linux/amd64".to_owned(),
                BTreeMap::from([("core.img".to_owned(), digest("core"))]),
            )]),
        }),
        init: Some(image("init")),
        ..Lock::default()
    }
}

fn none(path: &str, _: bool) -> Result<Option<Vec<u8>>, String> {
    panic!("{path} was read")
}

pub(crate) fn locked(spec: &Spec, lock: &Lock) -> LockedSpec {
    match lock_spec(
        spec,
        AMD64,
        Some(lock),
        None,
        &DiskOptions::default(),
        &mut none,
    )
    .unwrap()
    {
        Outcome::Locked(locked) => *locked,
        Outcome::Unpinned(names) => panic!("{names:?}"),
    }
}

#[test]
fn references_of_all_sections() {
    let spec = spec(
        "kernel: {image: k}\ninit: [i, i, builtin:init]\nonboot: [{name: a, image: o}]\nonshutdown: [{name: a, image: s}]\nservices: [{name: a, image: e}]\nvolumes: [{name: v, image: quay.io/v}, {name: w}]\n",
    );
    let names: Vec<String> = references(&spec, AMD64).into_iter().collect();
    let library = |name: &str| format!("docker.io/library/{name}");
    let mut wanted = vec!["builtin:boot".to_owned(), "builtin:init".to_owned()];
    wanted.extend(["e", "i", "k", "o", "s"].map(library));
    wanted.push("quay.io/v".to_owned());
    assert_eq!(names, wanted);
}

#[test]
fn yaml_before_lock_before_prior() {
    let own = digest("own");
    let spec = spec(&format!("init: ['a@{own}', b, c, builtin:init]\n"));
    let a = format!("docker.io/library/a@{own}");
    let first = lock(&["docker.io/library/b", "docker.io/library/c"]);
    let prior = locked(&spec, &first);
    assert_eq!(prior.images[&a], own);
    assert_eq!(
        prior.images["docker.io/library/b"],
        digest("docker.io/library/b-amd64"),
        "the manifest, not the index"
    );
    assert_eq!(prior.init, Some(digest("init-amd64")));
    assert_eq!(
        prior.boot.digest,
        digest("boot"),
        "an image without platforms is one for all"
    );

    let mut second = lock(&["docker.io/library/b"]);
    second
        .images
        .get_mut("docker.io/library/b")
        .unwrap()
        .platforms
        .clear();
    second.boot = None;
    let options = DiskOptions::default();
    let outcome = lock_spec(
        &spec,
        AMD64,
        Some(&second),
        Some(&prior),
        &options,
        &mut none,
    )
    .unwrap();
    let Outcome::Locked(next) = outcome else {
        panic!()
    };
    assert_eq!(
        next.images["docker.io/library/b"],
        digest("docker.io/library/b")
    );
    assert_eq!(
        next.images["docker.io/library/c"],
        prior.images["docker.io/library/c"]
    );
    assert_eq!(next.boot, prior.boot);

    let same = lock_spec(&spec, AMD64, None, Some(&prior), &options, &mut none).unwrap();
    assert_eq!(
        same,
        Outcome::Locked(Box::new(prior.clone())),
        "a prior locked spec alone changes nothing"
    );

    let other = lock_spec(
        &spec,
        Architecture::Arm64,
        None,
        Some(&prior),
        &options,
        &mut none,
    )
    .unwrap();
    let wanted = [
        "builtin:boot",
        "builtin:init",
        "docker.io/library/b",
        "docker.io/library/c",
    ];
    assert_eq!(
        other,
        Outcome::Unpinned(wanted.map(str::to_owned).to_vec()),
        "digests of another architecture"
    );
}

#[test]
fn sources_are_inlined() {
    let spec = spec(
        "files:\n- {path: a, source: text}\n- {path: b, source: bytes}\n- {path: c, source: gone, optional: true}\n- {path: d, contents: x}\n",
    );
    let mut read = |path: &str, optional: bool| match path {
        "text" => Ok(Some(b"hello".to_vec())),
        "bytes" => Ok(Some(vec![0xff, 0])),
        "gone" => {
            assert!(optional);
            Ok(None)
        }
        _ => Err("?".to_owned()),
    };
    let lock = lock(&[]);
    let outcome = lock_spec(
        &spec,
        AMD64,
        Some(&lock),
        None,
        &DiskOptions::default(),
        &mut read,
    )
    .unwrap();
    let Outcome::Locked(locked) = outcome else {
        panic!()
    };
    let files = &locked.spec.files;
    assert_eq!(files.len(), 3);
    assert_eq!(files[0].contents.as_deref(), Some("hello"));
    assert_eq!(files[1].contents_base64.as_deref(), Some("/wA="));
    assert!(
        files
            .iter()
            .all(|file| file.source.is_none() && file.optional.is_none())
    );
    assert_eq!(LockedSpec::parse(&locked.to_json()).unwrap(), *locked);
}

#[test]
fn faults_of_sources_are_all_told_and_located() {
    let text = "files:\n- {path: a, source: missing}\n- {path: b, source: secret}\n- {path: c, source: big}\n";
    let documents = [Document {
        name: "a.yml",
        text,
    }];
    let parsed = parse(&documents).unwrap();
    let mut read = |path: &str, _: bool| match path {
        "big" => Ok(Some(vec![0; MAX_INLINE + 1])),
        "secret" => Err("permission denied".to_owned()),
        _ => Ok(None),
    };
    let result = lock_spec(
        &parsed.spec,
        AMD64,
        None,
        None,
        &DiskOptions::default(),
        &mut read,
    );
    let mut faults = result.unwrap_err();
    parsed.locate(&mut faults, &documents);
    insta::assert_snapshot!(faults.to_string());
}

#[test]
fn disk_options() {
    let spec = Spec::default();
    let lock = lock(&[]);
    let with = |architecture, options: DiskOptions| {
        lock_spec(&spec, architecture, Some(&lock), None, &options, &mut none)
    };
    let plain = with(AMD64, DiskOptions::default()).unwrap();
    let spelled = DiskOptions {
        firmware: Some(Firmware::Hybrid),
        codec: Codec::Auto,
        min_memory: 1024,
        ..DiskOptions::default()
    };
    assert_eq!(
        with(AMD64, spelled).unwrap(),
        plain,
        "a default that is given is none"
    );
    let Outcome::Locked(locked) = plain else {
        panic!()
    };
    assert!(!locked.to_json().contains("disk"), "{}", locked.to_json());
    for (architecture, options) in [
        (
            Architecture::Arm64,
            DiskOptions {
                firmware: Some(Firmware::Bios),
                ..DiskOptions::default()
            },
        ),
        (
            Architecture::Riscv64,
            DiskOptions {
                firmware: Some(Firmware::Hybrid),
                ..DiskOptions::default()
            },
        ),
        (
            AMD64,
            DiskOptions {
                size: Some(0),
                ..DiskOptions::default()
            },
        ),
        (
            AMD64,
            DiskOptions {
                size: Some(u64::MAX),
                ..DiskOptions::default()
            },
        ),
        (
            AMD64,
            DiskOptions {
                min_memory: 0,
                ..DiskOptions::default()
            },
        ),
        (
            AMD64,
            DiskOptions {
                cmdline: "a\nb".to_owned(),
                ..DiskOptions::default()
            },
        ),
        (
            AMD64,
            DiskOptions {
                cmdline: "a".repeat(5000),
                ..DiskOptions::default()
            },
        ),
    ] {
        assert!(
            with(architecture, options)
                .unwrap_err()
                .to_string()
                .contains("disk.")
        );
    }
}
