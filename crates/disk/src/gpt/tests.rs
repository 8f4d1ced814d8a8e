use super::*;
use crate::Extents;
use crate::fixture::{bytes_of, run, write_sparse};

const MIB: u64 = 1 << 20;

fn partition(number: u32, first_lba: u64, last_lba: u64) -> Partition {
    let guid = guid_from(&[1; 32], &format!("p{number}"));
    let name = format!("part-{number}");
    Partition {
        number,
        kind: EFI_SYSTEM,
        guid,
        first_lba,
        last_lba,
        attributes: 1 << 60,
        name,
    }
}

fn table() -> Table {
    let partitions = vec![partition(1, 2048, 4095), partition(128, 8192, 12287)];
    Table {
        disk_guid: guid_from(&[1; 32], "disk"),
        partitions,
    }
}

fn written() -> Extents {
    let mut disk = Extents::new(8 * MIB);
    write(&mut disk, &table(), None).unwrap();
    disk
}

#[test]
fn sgdisk_finds_no_problem_and_reads_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    write_sparse(&written(), &path);
    let path = path.to_str().unwrap();
    let report = String::from_utf8(run("sgdisk", &["-v", path])).unwrap();
    assert!(report.contains("No problems found"), "{report}");
    let report = String::from_utf8(run("sgdisk", &["-p", "-i", "128", path])).unwrap();
    let guid = table().partitions[1].guid.to_string().to_uppercase();
    let kind = EFI_SYSTEM.to_string().to_uppercase();
    let disk = table().disk_guid.to_string().to_uppercase();
    for text in [
        format!("Disk identifier (GUID): {disk}"),
        "First usable sector is 2048, last usable sector is 16350".to_owned(),
        format!("Partition GUID code: {kind} (EFI system partition)"),
        format!("Partition unique GUID: {guid}"),
        "First sector: 8192 ".to_owned(),
        "Last sector: 12287 ".to_owned(),
        "Attribute flags: 1000000000000000".to_owned(),
        "Partition name: 'part-128'".to_owned(),
    ] {
        assert!(report.contains(&text), "{text:?} not in {report}");
    }
}

#[test]
fn parse_reads_what_write_wrote() {
    assert_eq!(parse(&written()).unwrap(), table());
}

#[test]
fn any_changed_byte_is_refused() {
    let bytes = bytes_of(&written());
    let table_end = 34 * 512;
    let backup = bytes.len() - 33 * 512;
    let mbr = [450, 510, 511];
    // Entries are covered by one checksum; a few of their bytes stand for all.
    let primary = (512..604).chain((1024..table_end).step_by(331));
    let backup = (backup..bytes.len() - 512)
        .step_by(331)
        .chain(bytes.len() - 512..bytes.len());
    for at in mbr.into_iter().chain(primary).chain(backup) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(parse(&Extents::from_bytes(damaged)).is_err(), "byte {at}");
    }
    for size in [0, 512, 1 << 19, bytes.len() - 512, bytes.len() - 1] {
        parse(&Extents::from_bytes(&bytes[..size])).unwrap_err();
    }
}

#[test]
fn boot_code_and_protective_entry() {
    let mut disk = Extents::new(8 * MIB);
    write(&mut disk, &table(), Some(&[0xcc; 440])).unwrap();
    let bytes = bytes_of(&disk);
    assert!(bytes[..440].iter().all(|byte| *byte == 0xcc));
    assert_eq!(bytes[440..446], [0; 6]);
    assert_eq!(bytes[446..454], [0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
    assert_eq!(bytes[454..462], [1, 0, 0, 0, 0xff, 0x3f, 0, 0]);
    assert_eq!(bytes[462..512], [&[0; 48][..], &[0x55, 0xaa]].concat());

    let mut huge = Extents::new(4 << 40);
    write(&mut huge, &table(), None).unwrap();
    let mut sector = [0; 512];
    huge.read_at(0, &mut sector).unwrap();
    assert_eq!(sector[458..462], [0xff; 4]);
    assert_eq!(parse(&huge).unwrap(), table());
}

#[test]
fn broken_tables_are_refused() {
    let attempt = |size, partitions: Vec<Partition>| {
        let table = Table {
            disk_guid: guid_from(&[1; 32], "disk"),
            partitions,
        };
        write(&mut Extents::new(size), &table, None)
    };
    assert!(matches!(attempt(8 * MIB, vec![]), Err(GptError::Empty)));
    assert!(matches!(
        attempt(MIB + 1, table().partitions),
        Err(GptError::DiskSize { .. })
    ));
    assert!(matches!(
        attempt(MIB / 2, table().partitions),
        Err(GptError::DiskSize { .. })
    ));
    let long = Partition {
        name: "n".repeat(37),
        ..partition(1, 2048, 4095)
    };
    let untyped = Partition {
        kind: Guid::default(),
        ..partition(1, 2048, 4095)
    };
    let last = 8 * MIB / 512 - 34;
    attempt(8 * MIB, vec![partition(1, 34, last)]).unwrap();
    for bad in [
        vec![partition(0, 2048, 4095)],
        vec![partition(129, 2048, 4095)],
        vec![partition(2, 2048, 4095), partition(1, 8192, 9000)],
        vec![partition(1, 2048, 4095), partition(1, 8192, 9000)],
        vec![partition(1, 33, 4095)],
        vec![partition(1, 2048, last + 1)],
        vec![partition(1, 4095, 2048)],
        vec![partition(1, 2048, 4096), partition(2, 4096, 5000)],
        vec![partition(1, 4096, 5000), partition(2, 2048, 4096)],
        vec![long],
        vec![untyped],
    ] {
        let error = attempt(8 * MIB, bad.clone()).unwrap_err();
        assert!(
            matches!(error, GptError::Partition { .. }),
            "{bad:?}: {error}"
        );
    }
}

#[test]
fn guids() {
    assert_eq!(
        EFI_SYSTEM.to_string(),
        "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
    );
    assert_eq!(
        EFI_SYSTEM.to_disk()[..8],
        [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11]
    );
    assert_eq!(Guid::from_disk(EFI_SYSTEM.to_disk()), EFI_SYSTEM);
    let one = guid_from(&[1; 32], "disk");
    let text = one.to_string();
    assert_eq!(&text[14..15], "8", "version");
    assert!("89ab".contains(&text[19..20]), "variant");
    assert_eq!(one, guid_from(&[1; 32], "disk"));
    assert_ne!(one, guid_from(&[1; 32], "esp"));
    assert_ne!(one, guid_from(&[2; 32], "disk"));
}
