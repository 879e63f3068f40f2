//! The smallest files that are libraries, assembled by hand: one loadable segment and the record's section.
#![allow(dead_code, reason = "each test program uses some of these")]

use montrs_driver_abi::record::{self, key};

/// The fields of a driver that this host can use.
pub(crate) fn fields<'a>(name: &'a str, version: &'a str, schemes: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        (key::NAME, name),
        (key::VERSION, version),
        (key::SCHEMES, schemes),
        (key::ABI, montrs_driver_abi::ABI_VERSION),
        (key::ABI_MIN, montrs_driver_abi::ABI_MIN_VERSION),
        (key::TARGET, record::TARGET),
        (key::PANIC, "unwind"),
    ]
}

/// A record at run time; [`record::encode`] makes them at compile time.
pub(crate) fn record_bytes(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = format!("{}\0", record::MAGIC).into_bytes();
    for (key, value) in fields {
        bytes.extend(format!("{key}={value}\0").bytes());
    }
    bytes
}

/// A library for this host (or for x86-64, where this host has no ELF) with this record.
pub(crate) fn elf(record: &[u8]) -> Vec<u8> {
    elf_with_section(record::SECTION_ELF, record)
}

/// As [`elf`], with the section under another name. The section headers are the last thing in the file.
pub(crate) fn elf_with_section(name: &str, content: &[u8]) -> Vec<u8> {
    const EHDR: u64 = 64;
    const PHDR: u64 = 56;
    let names = format!("\0{name}\0.shstrtab\0");
    let content_at = EHDR + PHDR;
    let names_at = content_at + content.len() as u64;
    let headers_at = (names_at + names.len() as u64).next_multiple_of(8);
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

    let mut file = Bytes(b"\x7fELF\x02\x01\x01".to_vec());
    file.pad_to(16).u16(3).u16(machine).u32(1).u64(0).u64(EHDR).u64(headers_at).u32(0);
    file.u16(64).u16(56).u16(1).u16(64).u16(3).u16(2);
    // PT_LOAD of everything up to the section headers, readable.
    file.u32(1).u32(4).u64(0).u64(0).u64(0).u64(headers_at).u64(headers_at).u64(0x1000);
    file.bytes(content).bytes(names.as_bytes()).pad_to(headers_at as usize);
    let mut section = |name: u32, kind: u32, at: u64, len: usize| {
        file.u32(name).u32(kind).u64(0).u64(0).u64(at).u64(len as u64).u32(0).u32(0).u64(1).u64(0);
    };
    section(0, 0, 0, 0);
    section(1, 1, content_at, content.len());
    section(name.len() as u32 + 2, 3, names_at, names.len());
    file.0
}

/// A 32-bit ELF library for i386 with one loadable segment.
pub(crate) fn elf_32() -> Vec<u8> {
    let mut file = Bytes(b"\x7fELF\x01\x01\x01".to_vec());
    file.pad_to(16).u16(3).u16(3).u32(1).u32(0).u32(52).u32(0).u32(0);
    file.u16(52).u16(32).u16(1).u16(40).u16(0).u16(0);
    file.u32(1).u32(0).u32(0).u32(0).u32(84).u32(84).u32(4).u32(0x1000);
    file.0
}

/// A Mach-O library for arm64 with this record.
pub(crate) fn mach_o(record: &[u8]) -> Vec<u8> {
    const HEADERS: u64 = 32 + 72 + 80;
    let end = HEADERS + record.len() as u64;
    let mut file = Bytes(Vec::new());
    // MH_MAGIC_64, CPU_TYPE_ARM64, MH_DYLIB, one command.
    file.u32(0xfeed_facf).u32(0x0100_000c).u32(0).u32(6).u32(1).u32(72 + 80).u32(0).u32(0);
    // LC_SEGMENT_64 with one section.
    file.u32(0x19).u32(72 + 80).name(b"__DATA").u64(0).u64(end).u64(0).u64(end).u32(3).u32(3).u32(1).u32(0);
    file.name(record::SECTION_MACHO.as_bytes()).name(b"__DATA").u64(HEADERS).u64(record.len() as u64);
    file.u32(HEADERS as u32).u32(0).u32(0).u32(0).u32(0).u32(0).u32(0).u32(0);
    file.bytes(record);
    file.0
}

/// A PE library for x86-64 with this record.
pub(crate) fn pe(record: &[u8]) -> Vec<u8> {
    const OPTIONAL: u16 = 112;
    let mut file = Bytes(b"MZ".to_vec());
    file.pad_to(60).u32(64).bytes(b"PE\0\0");
    // IMAGE_FILE_MACHINE_AMD64, one section, IMAGE_FILE_EXECUTABLE_IMAGE | IMAGE_FILE_DLL.
    file.u16(0x8664).u16(1).u32(0).u32(0).u32(0).u16(OPTIONAL).u16(0x2002);
    let optional_at = file.0.len();
    file.u16(0x20b).pad_to(optional_at + OPTIONAL as usize);
    let content_at = file.0.len() + 40;
    let mut name = [0; 8];
    name[..record::SECTION_PE.len()].copy_from_slice(record::SECTION_PE.as_bytes());
    file.bytes(&name).u32(record.len() as u32).u32(0x1000).u32(record.len() as u32).u32(content_at as u32);
    file.u32(0).u32(0).u32(0).u32(0x4000_0040);
    file.bytes(record);
    file.0
}

struct Bytes(Vec<u8>);

impl Bytes {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    fn u16(&mut self, number: u16) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn pad_to(&mut self, len: usize) -> &mut Self {
        self.0.resize(len, 0);
        self
    }

    /// A name of sixteen bytes.
    fn name(&mut self, name: &[u8]) -> &mut Self {
        let end = self.0.len() + 16;
        self.bytes(name).pad_to(end)
    }
}
