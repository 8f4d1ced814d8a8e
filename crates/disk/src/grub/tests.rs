use super::*;
use crate::cmdline::CmdlineError;
use crate::fixture::{boot_img, core_img};

#[test]
fn boot_code_differs_in_its_fields_only() {
    let image = boot_img();
    let code = boot_code(&image).unwrap();
    assert_eq!(code[0x5c..0x64], 8192_u64.to_le_bytes());
    assert_eq!(code[0x64], 0xff);
    assert_eq!(code[0x66..0x68], [0x90, 0x90]);
    for (at, byte) in code.iter().enumerate() {
        let field = (0x5c..0x65).contains(&at) || (0x66..0x68).contains(&at);
        assert!(field || *byte == image[at], "byte {at}");
    }
}

#[test]
fn core_is_told_where_the_rest_lies() {
    let image = core_img(130_001);
    let core = core(&image).unwrap();
    assert_eq!(core.len(), 254 * 512);
    assert_eq!(core[..0x1f4], image[..0x1f4]);
    assert_eq!(core[0x1f4..0x1fc], 8193_u64.to_le_bytes());
    assert_eq!(core[0x1fc..0x200], [253, 0, 0x20, 0x08]);
    assert_eq!(core[0x200..130_001], image[0x200..]);
    assert!(core[130_001..].iter().all(|byte| *byte == 0));
    let largest = super::core(&core_img(MAX_CORE)).unwrap();
    assert!(largest.len() as u64 <= CONFIG_OFFSET - CORE_OFFSET);
}

#[test]
fn other_files_are_refused() {
    for bad in [
        &[][..],
        &boot_img()[..511],
        &[0; 512],
        &[boot_img(), vec![0]].concat(),
    ] {
        assert_eq!(boot_code(bad), Err(GrubError::BootImage));
    }
    let mut patched = boot_img();
    patched[0x66] = 0x90;
    assert_eq!(boot_code(&patched), Err(GrubError::BootImage));
    for bad in [vec![], vec![0; 4096], core_img(512), core_img(MAX_CORE + 1)] {
        assert_eq!(core(&bad), Err(GrubError::CoreImage));
    }
}

fn text(cmdline: &str) -> Result<String, GrubError> {
    let kernel = Sectors {
        lba: 27648,
        count: 100,
    };
    let initrd = Sectors {
        lba: 28672,
        count: 8,
    };
    let config = config(kernel, &[initrd], cmdline)?;
    assert_eq!(config.len(), 16384);
    Ok(String::from_utf8(config).unwrap())
}

#[test]
fn early_configuration_names_the_place() {
    let place = format!(
        "normal ($root){}+{}\n",
        CONFIG_OFFSET / 512,
        CONFIG_LEN / 512
    );
    assert_eq!(EARLY_CONFIG, place);
}

#[test]
fn configuration_boots_block_lists() {
    let text = text("console=ttyS0 quiet").unwrap();
    assert!(
        text.contains("if linux ($root)27648+100 'console=ttyS0' 'quiet'; then\n"),
        "{text}"
    );
    assert!(text.contains("if initrd ($root)28672+8; then\n"));
    assert!(text.trim_end().ends_with("\nreboot\nhalt"));
    assert!(!text.contains("hd0"));
}

#[test]
fn words_arrive_as_the_kernel_would_read_them() {
    for (cmdline, arguments) in [
        ("", ""),
        ("  a   b ", " 'a' 'b'"),
        ("a=\"b c\"", " 'a=b c'"),
        ("\"a=b c\"", " 'a=b c'"),
        ("a=\"b\" c=\"\"", " 'a=b' 'c='"),
        ("p=$root;x|&<>{}#!*", " 'p=$root;x|&<>{}#!*'"),
        (
            "dm=\"a = b\" -- \"two words\"",
            " 'dm=a = b' '--' 'two words'",
        ),
        ("a==b,c=d", " 'a==b,c=d'"),
    ] {
        let text = text(cmdline).unwrap();
        let line = format!("if linux ($root)27648+100{arguments}; then\n");
        assert!(text.contains(&line), "{cmdline}: {text}");
    }
}

#[test]
fn what_grub_would_change_is_refused() {
    for cmdline in [
        "a'b",
        "a\\b",
        "a=b\"c d\"",
        "a=\"b",
        "\"",
        "\"\"",
        "a\"b\"=c",
        "a=\"b\"c\"d\"",
    ] {
        let error = text(cmdline).unwrap_err();
        assert!(
            matches!(error, GrubError::Word { .. }),
            "{cmdline}: {error}"
        );
    }
    for cmdline in ["a\nb", "a\tb", "a\0", "ä"] {
        let error = text(cmdline).unwrap_err();
        assert!(matches!(
            error,
            GrubError::Cmdline(CmdlineError::Character { .. })
        ));
    }
    text(&"a".repeat(1983)).unwrap();
    let error = text(&"a".repeat(1984)).unwrap_err();
    assert_eq!(
        error,
        GrubError::Cmdline(CmdlineError::TooLong {
            len: 1984,
            max: 1983
        })
    );
}

#[test]
fn sectors_cover_their_bytes() {
    assert_eq!(
        Sectors::covering(&(512..513)),
        Ok(Sectors { lba: 1, count: 1 })
    );
    assert_eq!(
        Sectors::covering(&(1024..2048)),
        Ok(Sectors { lba: 2, count: 2 })
    );
    for bad in [513..1024, 512..512, 0..0] {
        assert!(Sectors::covering(&bad).is_err());
    }
}

#[test]
fn pieces_become_one_initrd() {
    let at = |lba, count| Sectors { lba, count };
    let kernel = at(100, 16);
    let initrd = [at(8, 1), at(7, 1), at(50, 8), at(58, 8)];
    let text = String::from_utf8(config(kernel, &initrd, "").unwrap()).unwrap();
    let line = "if initrd ($root)8+1 ($root)7+1 ($root)50+16; then\n";
    assert!(text.contains(line), "{text}");
    let many: Vec<_> = (0..3000).map(|n| at(10_000 + 2 * n, 1)).collect();
    assert!(matches!(
        config(kernel, &many, ""),
        Err(GrubError::Config(_))
    ));
}
