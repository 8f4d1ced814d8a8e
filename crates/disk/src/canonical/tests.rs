use super::*;
use crate::fixture::{
    boot_img, bytes_of, core_img, kernel, noise, run, sha256, stub, write_sparse,
};
use crate::{BLOCK, block_map, uki};

struct Sample {
    architecture: Architecture,
    uki: Uki,
    boot_img: Vec<u8>,
    core_img: Vec<u8>,
    segments: Vec<UkiSegment>,
}

impl Sample {
    fn new(architecture: Architecture) -> Self {
        let contents = [noise(5, 70_003), noise(6, BLOCK as usize + 1), noise(7, 9)];
        let mut offsets = vec![0];
        for content in &contents {
            let last = offsets[offsets.len() - 1];
            offsets.push((last + content.len() as u64).next_multiple_of(CLUSTER));
        }
        let mut initrd = Extents::new(offsets[contents.len()]);
        for (content, offset) in contents.iter().zip(&offsets) {
            initrd.push_bytes(*offset, content.as_slice()).unwrap();
        }
        let uki = uki::build(&uki::Input {
            stub: &stub(architecture, 512, 1024),
            os_release: "ID=nodeimage\n",
            cmdline: "console=ttyS0",
            uname: None,
            kernel: &Extents::from_bytes(kernel(architecture, 600_001)),
            initrd: &initrd,
        })
        .unwrap();
        let segments = contents
            .iter()
            .zip(&offsets)
            .map(|(content, offset)| UkiSegment {
                key: sha256(content),
                identity: sha256(&content[..5]),
                is_volatile: content.len() == 9,
                offset: uki.initrd.start + offset,
                len: content.len() as u64,
            });
        let segments = segments.collect();
        Self {
            architecture,
            uki,
            boot_img: boot_img(),
            core_img: core_img(130_001),
            segments,
        }
    }

    fn parts(&self, firmware: Firmware) -> Parts<'_> {
        Parts {
            image_id: [7; 32],
            architecture: self.architecture,
            firmware,
            size: None,
            grub: Some(GrubParts {
                boot_img: &self.boot_img,
                core_img: &self.core_img,
            }),
            cmdline: "console=ttyS0",
            uki: &self.uki,
            segments: &self.segments,
        }
    }
}

const CASES: [(Architecture, Firmware, &str); 4] = [
    (
        Architecture::Amd64,
        Firmware::Hybrid,
        "EFI/BOOT/BOOTX64.EFI",
    ),
    (Architecture::Amd64, Firmware::Uefi, "EFI/BOOT/BOOTX64.EFI"),
    (Architecture::Amd64, Firmware::Bios, "NODEIMAGE.EFI"),
    (Architecture::Arm64, Firmware::Uefi, "EFI/BOOT/BOOTAA64.EFI"),
];

#[test]
fn tools_find_everything_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let image = path.to_str().unwrap();
    for (architecture, firmware, name) in CASES {
        let sample = Sample::new(architecture);
        let canonical = assemble(&sample.parts(firmware)).unwrap();
        assert_eq!(canonical.disk.size(), 1 << 30);
        write_sparse(&canonical.disk, &path);

        let report = String::from_utf8(run("sgdisk", &["-v", "-p", image])).unwrap();
        assert!(report.contains("No problems found"), "{report}");
        let first = if firmware == Firmware::Uefi {
            16384
        } else {
            8192
        };
        assert!(
            report.contains(&format!("First usable sector is {first},")),
            "{report}"
        );
        let kind = if firmware == Firmware::Bios {
            "0700"
        } else {
            "EF00"
        };
        assert!(report.contains(&format!("16384         2064383   1000.0 MiB  {kind}  esp")));
        assert_eq!(
            report.contains("EF02  bios-boot"),
            firmware != Firmware::Uefi
        );

        let esp = folder.path().join("esp");
        let end = ESP_OFFSET + (1000 << 20);
        write_sparse(&canonical.disk.slice(ESP_OFFSET..end).unwrap(), &esp);
        run("fsck.fat", &["-n", esp.to_str().unwrap()]);
        let read = run(
            "mtype",
            &["-i", &format!("{image}@@8M"), &format!("::{name}")],
        );
        assert!(read == bytes_of(&sample.uki.file));

        let mut pieces = Vec::new();
        for place in &canonical.uki {
            pieces.extend(bytes_of(&canonical.disk.slice(place.clone()).unwrap()));
        }
        assert!(pieces == read);
        let [head, kernel, first, second, last] = canonical.uki.as_slice() else {
            panic!("{:?}", canonical.uki)
        };
        for place in [kernel, first, second] {
            assert!(place.start.is_multiple_of(BLOCK));
        }
        assert_eq!(
            head.start / BLOCK,
            last.start / BLOCK,
            "what changes together"
        );
    }
}

#[test]
fn the_disk_reads_back_as_what_it_is() {
    for (architecture, firmware, _) in CASES {
        let sample = Sample::new(architecture);
        let canonical = assemble(&sample.parts(firmware)).unwrap();
        assert_eq!(gpt::parse(&canonical.disk).unwrap(), canonical.table);
        let mut region = vec![0; block_map::CAPACITY as usize];
        canonical
            .disk
            .read_at(block_map::OFFSET, &mut region)
            .unwrap();
        let map = BlockMap::parse(&region).unwrap();
        assert_eq!(map, canonical.map);
        assert_eq!(
            BlockMap::compute(&canonical.disk, [7; 32], map.segments()).unwrap(),
            map
        );
        for segment in map.segments() {
            assert!(segment.offset.is_multiple_of(BLOCK) || segment.len == 9);
            let mut content = vec![0; segment.len as usize];
            canonical
                .disk
                .read_at(segment.offset, &mut content)
                .unwrap();
            assert_eq!(segment.key, sha256(&content));
        }
    }
}

#[test]
fn grub_is_there_exactly_for_bios() {
    let sample = Sample::new(Architecture::Amd64);
    let mut sector = [0; 512];
    let mut config = vec![0; grub::CONFIG_LEN];
    for firmware in [Firmware::Hybrid, Firmware::Bios, Firmware::Uefi] {
        let Canonical { disk, uki, .. } = assemble(&sample.parts(firmware)).unwrap();
        disk.read_at(0, &mut sector).unwrap();
        disk.read_at(grub::CONFIG_OFFSET, &mut config).unwrap();
        if firmware == Firmware::Uefi {
            assert_eq!(sector[..446], [0; 446]);
            assert!(config.iter().all(|byte| *byte == 0));
            continue;
        }
        assert_eq!(sector[..440], grub::boot_code(&sample.boot_img).unwrap());
        let sectors: Vec<_> = uki[2..]
            .iter()
            .map(|place| {
                format!(
                    "($root){}+{}",
                    place.start / 512,
                    (place.end - place.start).div_ceil(512)
                )
            })
            .collect();
        let (linux, initrd) = (uki[1].start / 512, sectors.join(" "));
        let text = String::from_utf8(config.clone()).unwrap();
        let line = format!(
            "if linux ($root){linux}+{} 'console",
            600_001_u64.div_ceil(512)
        );
        assert!(text.contains(&line), "{text}");
        assert!(text.contains(&format!("if initrd {initrd};")), "{text}");
    }
}

#[test]
fn identifiers_follow_the_image_id_alone() {
    let sample = Sample::new(Architecture::Amd64);
    let parts = sample.parts(Firmware::Hybrid);
    let one = assemble(&parts).unwrap();
    assert_eq!(one, assemble(&parts).unwrap());
    let other = assemble(&Parts {
        image_id: [8; 32],
        ..parts
    })
    .unwrap();
    assert_ne!(one.table.disk_guid, other.table.disk_guid);
    assert_ne!(one.table.partitions[0].guid, other.table.partitions[0].guid);
    let changed: Vec<_> = one
        .map
        .blocks()
        .iter()
        .zip(other.map.blocks())
        .filter(|(a, b)| a != b)
        .map(|(a, _)| a.0)
        .collect();
    // Partition table, FAT serial in two boot sectors, the backup table.
    assert_eq!(changed, [0, 16, 2047]);
}

/// The bytes of recipe 1. A change here changes every image: it needs a new recipe.
#[test]
fn golden_digests() {
    let digests = CASES.map(|(architecture, firmware, _)| {
        let sample = Sample::new(architecture);
        hex::encode(assemble(&sample.parts(firmware)).unwrap().map.digest())
    });
    assert_eq!(
        digests,
        [
            "ce17b539a993be32e1c01f47a7c1b823460955fdd9b53291d7b5683d1191af83",
            "617dc29a3eadcc88fa0e73b8dd49bc0e2ad5587edcdb9d979b154e5a4d1fe98e",
            "368d97fd20b977e127e4d186d4530a3fd6d21e23e76aa9720547ca37e23229bd",
            "f34833f80e6dc2a40125d0bb88756d5d09df7092067b061d7bedca389f33fab2",
        ]
    );
}

#[test]
fn sizes() {
    let sample = Sample::new(Architecture::Amd64);
    let attempt = |size| {
        let parts = Parts {
            size: Some(size),
            ..sample.parts(Firmware::Hybrid)
        };
        assemble(&parts).map(|it| it.disk.size())
    };
    let least = 273 << 20;
    assert_eq!(attempt(least).unwrap(), least);
    assert_eq!(attempt(2 << 40).unwrap(), 2 << 40);
    let error = attempt(272 << 20).unwrap_err().to_string();
    assert_eq!(
        error,
        "disk size: 272 MiB is too small for this image; use at least 273 MiB"
    );
    assert!(matches!(attempt(0), Err(CanonicalError::TooSmall { .. })));
    assert!(matches!(
        attempt(least + 512),
        Err(CanonicalError::SizeUnit(_))
    ));
    assert!(matches!(
        attempt(MAX_DISK + MIB),
        Err(CanonicalError::TooLarge(_))
    ));
    assert!(matches!(
        attempt(u64::MAX),
        Err(CanonicalError::SizeUnit(_))
    ));
}

#[test]
fn impossible_parts_are_refused() {
    let amd64 = Sample::new(Architecture::Amd64);
    let arm64 = Sample::new(Architecture::Arm64);
    for firmware in [Firmware::Hybrid, Firmware::Bios] {
        let error = assemble(&arm64.parts(firmware)).unwrap_err();
        assert!(matches!(error, CanonicalError::Firmware(_)));
        let parts = Parts {
            grub: None,
            ..amd64.parts(firmware)
        };
        assert!(matches!(assemble(&parts), Err(CanonicalError::NoGrub(_))));
    }
    assemble(&Parts {
        grub: None,
        ..amd64.parts(Firmware::Uefi)
    })
    .unwrap();
    let parts = Parts {
        uki: &arm64.uki,
        ..amd64.parts(Firmware::Uefi)
    };
    assert!(matches!(
        assemble(&parts),
        Err(CanonicalError::Architecture { .. })
    ));
    for (offset, len) in [(amd64.uki.file.size(), 1), (u64::MAX, 2)] {
        let segments = [UkiSegment {
            key: [0; 32],
            identity: [0; 32],
            is_volatile: false,
            offset,
            len,
        }];
        let parts = Parts {
            segments: &segments,
            ..amd64.parts(Firmware::Uefi)
        };
        assert!(matches!(
            assemble(&parts),
            Err(CanonicalError::Segment { .. })
        ));
    }
    let parts = Parts {
        cmdline: "a'b",
        ..amd64.parts(Firmware::Hybrid)
    };
    assert!(matches!(assemble(&parts), Err(CanonicalError::Grub(_))));
    let mut huge = amd64.uki.clone();
    huge.file = Extents::new(2 << 30);
    let parts = Parts {
        uki: &huge,
        ..amd64.parts(Firmware::Uefi)
    };
    assert!(matches!(assemble(&parts), Err(CanonicalError::Fat32(_))));
}
