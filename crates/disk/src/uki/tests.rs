use proptest::prelude::*;

use super::*;
use crate::fixture::{bytes_of, kernel, noise, stub};

const ARCHITECTURES: [(Architecture, u32, u32); 2] = [
    (Architecture::Amd64, 512, 1024),
    (Architecture::Arm64, 4096, 4096),
];

struct Sample {
    stub: Vec<u8>,
    kernel: Extents,
    initrd: Extents,
}

impl Sample {
    fn new((architecture, alignment, headers_len): (Architecture, u32, u32)) -> Self {
        Self {
            stub: stub(architecture, alignment, headers_len),
            kernel: Extents::from_bytes(kernel(architecture, 600_001)),
            initrd: Extents::from_bytes(noise(5, 70_003)),
        }
    }

    fn amd64() -> Self {
        Self::new(ARCHITECTURES[0])
    }

    fn input(&self) -> Input<'_> {
        Input {
            stub: &self.stub,
            os_release: "ID=nodeimage\n",
            cmdline: "console=ttyS0",
            uname: Some("6.1.0"),
            kernel: &self.kernel,
            initrd: &self.initrd,
        }
    }
}

#[test]
fn parts_lie_where_the_ranges_say() {
    for shape in ARCHITECTURES {
        let sample = Sample::new(shape);
        let uki = build(&sample.input()).unwrap();
        assert_eq!(uki.architecture, shape.0);
        let (linux, initrd) = (uki.linux.start, uki.initrd.start);
        assert!(linux < 32 << 10 && linux.is_multiple_of(CLUSTER));
        assert_eq!(uki.linux.end, linux + 600_001);
        assert_eq!(initrd, uki.linux.end.next_multiple_of(CLUSTER));
        assert_eq!(uki.initrd.end, initrd + 70_003);
        assert_eq!(uki.file.size(), uki.initrd.end.next_multiple_of(512));
        let bytes = bytes_of(&uki.file);
        assert_eq!(bytes[linux as usize..][..600_001], bytes_of(&sample.kernel));
        assert_eq!(bytes[initrd as usize..][..70_003], bytes_of(&sample.initrd));
        assert_eq!(parse(uki.file.clone()).unwrap(), uki);
    }
}

#[test]
fn sections_have_no_gaps_and_true_lengths() {
    for shape in ARCHITECTURES {
        let sample = Sample::new(shape);
        let uki = build(&sample.input()).unwrap();
        let pe = pe::parse(&uki.file).unwrap();
        let bytes = bytes_of(&uki.file);
        let names: Vec<_> = pe.sections.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(
            names,
            [
                ".text", ".sbat", ".osrel", ".cmdline", ".uname", ".linux", ".initrd"
            ]
        );
        assert!(
            pe.sections
                .windows(2)
                .all(|pair| pair[0].raw.end == pair[1].raw.start)
        );
        assert!(
            pe.sections
                .windows(2)
                .all(|pair| { pair[0].virtual_end() <= u64::from(pair[1].virtual_address) })
        );
        let text = |name| {
            let content = pe.section(name).unwrap().content();
            String::from_utf8(bytes[content.start as usize..content.end as usize].to_vec()).unwrap()
        };
        assert_eq!(text(".osrel"), "ID=nodeimage\n");
        assert_eq!(text(".cmdline"), "console=ttyS0");
        assert_eq!(text(".uname"), "6.1.0");
        // The stub's code is as it was; its symbol table is gone, and the header says so.
        let raw_at = shape.2 as usize;
        assert_eq!(
            bytes[raw_at..raw_at + 1536],
            sample.stub[raw_at..raw_at + 1536]
        );
        assert_eq!(u32_at(&bytes, pe.coff_at + 8), Some(0));
        assert_eq!(u32_at(&bytes, pe.coff_at + 12), Some(0));
        let last = pe.sections.last().unwrap();
        let image_len = u32_at(&bytes, pe.optional_at + 56).unwrap();
        assert!(u64::from(image_len) >= last.virtual_end() && image_len.is_multiple_of(4096));
        let data = 0x400 + uki.file.size() - pe.section(".osrel").unwrap().raw.start;
        assert_eq!(u64::from(u32_at(&bytes, pe.optional_at + 8).unwrap()), data);
    }
}

#[test]
fn the_stub_measures_the_kernel_as_it_is() {
    let sample = Sample::amd64();
    for len in [600_001, 604_160] {
        let kernel = sample.kernel.slice(0..600_001).unwrap();
        let mut padded = Extents::new(len);
        padded.place(0, &kernel).unwrap();
        let uki = build(&Input {
            kernel: &padded,
            ..sample.input()
        })
        .unwrap();
        let pe = pe::parse(&uki.file).unwrap();
        let linux = pe.section(".linux").unwrap();
        assert_eq!(u64::from(linux.virtual_size), len);
        assert_eq!(linux.raw.end, uki.initrd.start, "no gap");
    }
}

#[test]
fn an_empty_command_line_is_still_ours() {
    let sample = Sample::amd64();
    let input = Input {
        cmdline: "",
        uname: None,
        ..sample.input()
    };
    let uki = build(&input).unwrap();
    let pe = pe::parse(&uki.file).unwrap();
    assert_eq!(pe.section(".cmdline").unwrap().virtual_size, 1);
    assert!(pe.section(".uname").is_none());
}

fn refused(change: impl Fn(&mut Vec<u8>)) -> String {
    let mut sample = Sample::amd64();
    change(&mut sample.stub);
    build(&sample.input()).unwrap_err().to_string()
}

#[test]
fn unfit_stubs_are_refused() {
    let optional = 0x98;
    let table = optional + 240;
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let cases: [(&str, Change<'_>); 17] = [
        ("no PE signature", &|stub| stub.clear()),
        ("no PE signature", &|stub| stub[0] = b'X'),
        ("no PE signature", &|stub| put(stub, 0x3c, &[0xff; 4])),
        ("another machine", &|stub| put(stub, 0x84, &[0x4c, 0x01])),
        ("not PE32+", &|stub| put(stub, optional, &[0x0b, 0x01])),
        ("cut short", &|stub| put(stub, 0x94, &[80, 0])),
        ("alignments", &|stub| put(stub, optional + 36, &[0; 4])),
        ("alignments", &|stub| {
            put(stub, optional + 32, &[1, 0, 2, 0])
        }),
        ("section table", &|stub| put(stub, 0x86, &[0xff; 2])),
        ("section table", &|stub| {
            put(stub, optional + 60, &[0xff; 4])
        }),
        ("outside the file", &|stub| {
            put(stub, table + 16, &[0xff; 4])
        }),
        ("overlap in memory", &|stub| {
            put(stub, table + 8, &[0xff; 4])
        }),
        ("not an EFI application", &|stub| stub[optional + 68] = 3),
        ("signed", &|stub| stub[optional + 148] = 1),
        ("already has a kernel's", &|stub| {
            put(stub, table, b".linux\0\0")
        }),
        ("no room", &|stub| stub[table + 2 * 40 + 150] = 1),
        ("larger than 4 MiB", &|stub| stub.resize(MAX_STUB + 1, 0)),
    ];
    for (text, change) in cases {
        let error = refused(change);
        assert!(
            error.starts_with("EFI stub: ") && error.contains(text),
            "{text}: {error}"
        );
    }
    let mut sample = Sample::amd64();
    // 0x188 + 2 sections: room for four more below 0x280.
    sample.stub = stub(Architecture::Amd64, 512, 1024);
    sample.stub.drain(0x200..0x400);
    put(&mut sample.stub, optional + 60, &512_u32.to_le_bytes());
    put(&mut sample.stub, table + 20, &512_u32.to_le_bytes());
    put(&mut sample.stub, table + 60, &1536_u32.to_le_bytes());
    let error = build(&sample.input()).unwrap_err();
    assert!(error.to_string().contains("no room"), "{error}");
}

#[test]
fn unfit_parts_are_refused() {
    let sample = Sample::amd64();
    let fail = |input: Input<'_>| build(&input).unwrap_err();
    let empty = Extents::new(0);
    let error = fail(Input {
        initrd: &empty,
        ..sample.input()
    });
    assert!(matches!(
        error,
        UkiError::Length {
            section: ".initrd",
            len: 0,
            ..
        }
    ));
    let error = fail(Input {
        os_release: "",
        ..sample.input()
    });
    assert!(matches!(
        error,
        UkiError::Length {
            section: ".osrel",
            ..
        }
    ));
    let long = "a".repeat(MAX_TEXT + 1);
    let error = fail(Input {
        uname: Some(&long),
        ..sample.input()
    });
    assert!(matches!(
        error,
        UkiError::Length {
            section: ".uname",
            ..
        }
    ));
    let error = fail(Input {
        cmdline: "a\n",
        ..sample.input()
    });
    assert!(matches!(error, UkiError::Cmdline(_)));
    assert!(matches!(
        fail(Input {
            kernel: &empty,
            ..sample.input()
        }),
        UkiError::Kernel(_)
    ));
    let gzip = Extents::from_bytes(noise(1, 8192));
    assert!(matches!(
        fail(Input {
            kernel: &gzip,
            ..sample.input()
        }),
        UkiError::Kernel(_)
    ));
    let arm = Extents::from_bytes(kernel(Architecture::Arm64, 8192));
    assert!(matches!(
        fail(Input {
            kernel: &arm,
            ..sample.input()
        }),
        UkiError::Machine(_)
    ));
    for len in [(4 << 30) - 600_001, u64::from(u32::MAX)] {
        let error = fail(Input {
            initrd: &Extents::new(len),
            ..sample.input()
        });
        assert!(matches!(error, UkiError::TooLarge), "{error}");
    }
    let error = fail(Input {
        initrd: &Extents::new(4 << 30),
        ..sample.input()
    });
    assert!(matches!(error, UkiError::Length { .. }));
}

proptest! {
    /// Whatever the bytes, ranges that are returned lie inside the file.
    #[test]
    fn parsing_damaged_headers_is_bounded(
        changes in proptest::collection::vec((0..1024_usize, any::<u8>()), 1..20),
    ) {
        let sample = Sample::amd64();
        let uki = build(&sample.input()).unwrap();
        let mut head = vec![0; 1024];
        uki.file.read_at(0, &mut head).unwrap();
        for (at, byte) in changes {
            head[at] = byte;
        }
        if let Ok(pe) = pe::parse_head(&head, uki.file.size()) {
            for section in pe.sections {
                prop_assert!(section.raw.end <= uki.file.size());
                prop_assert!(section.content().end <= section.raw.end);
            }
        }
        let mut stub = sample.stub.clone();
        stub[..1024].copy_from_slice(&head);
        let _ = build(&Input { stub: &stub, ..sample.input() });
    }
}
