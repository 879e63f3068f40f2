//! Reading a library as a file: is it one for this machine, is it whole, and what is in its metadata record.
//!
//! Nothing here runs or maps the library. The system's own loader believes a library's headers: where they promise
//! more than the file has, the process dies of `SIGBUS`. So every segment and section must end inside the file.

use crate::{DriverRecord, Refusal, RefusalKind};
use montrs_driver_abi::record;
use object::read::{ReadCache, ReadRef};
use object::{
    Architecture, BinaryFormat, Endianness, FileFlags, FileKind, Object, ObjectKind, ObjectSection, ObjectSegment,
};
use std::cell::Cell;
use std::fs::File;
use std::ops::Range;

/// Reads the record of a library that is still in its file; no more is read than the headers need.
pub(crate) fn record_of_file(file: File) -> Result<DriverRecord, Refusal> {
    let cache = ReadCache::new(file);
    let spent = Cell::new(0);
    record_of(Frugal { cache: &cache, spent: &spent })
}

/// Reads the record of a library whose bytes are all here.
pub(crate) fn record_of_bytes(bytes: &[u8]) -> Result<DriverRecord, Refusal> {
    record_of(bytes)
}

fn record_of<'data, R: ReadRef<'data>>(data: R) -> Result<DriverRecord, Refusal> {
    DriverRecord::parse(record_section(data, &Machine::HOST)?)
}

/// What a library has to be made for.
struct Machine {
    format: BinaryFormat,
    /// `None` on a machine that this table does not know; the record's target is compared in any case.
    architecture: Option<Architecture>,
    is_64: bool,
    endianness: Endianness,
}

impl Machine {
    const HOST: Self = Self {
        format: if cfg!(windows) {
            BinaryFormat::Pe
        } else if cfg!(target_vendor = "apple") {
            BinaryFormat::MachO
        } else {
            BinaryFormat::Elf
        },
        architecture: if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
            Some(Architecture::X86_64)
        } else if cfg!(all(target_arch = "aarch64", target_pointer_width = "64")) {
            Some(Architecture::Aarch64)
        } else if cfg!(target_arch = "x86") {
            Some(Architecture::I386)
        } else if cfg!(target_arch = "arm") {
            Some(Architecture::Arm)
        } else if cfg!(target_arch = "riscv64") {
            Some(Architecture::Riscv64)
        } else if cfg!(target_arch = "powerpc64") {
            Some(Architecture::PowerPc64)
        } else if cfg!(target_arch = "s390x") {
            Some(Architecture::S390x)
        } else if cfg!(target_arch = "loongarch64") {
            Some(Architecture::LoongArch64)
        } else {
            None
        },
        is_64: cfg!(target_pointer_width = "64"),
        endianness: if cfg!(target_endian = "big") { Endianness::Big } else { Endianness::Little },
    };
}

/// The bytes of the record's section, after everything else about the library has been found in order.
fn record_section<'data, R: ReadRef<'data>>(data: R, machine: &Machine) -> Result<&'data [u8], Refusal> {
    let kind = FileKind::parse(data).map_err(|_| not_a_library("it is no library of any known format"))?;
    if matches!(kind, FileKind::MachOFat32 | FileKind::MachOFat64) {
        return Err(foreign("it is a universal file for several machines").mended_by("lipo -thin"));
    }
    let file = object::File::parse(data).map_err(|e| match kind {
        FileKind::Elf32 | FileKind::Elf64 | FileKind::MachO32 | FileKind::MachO64 | FileKind::Pe32 | FileKind::Pe64 => {
            damaged(&e.to_string())
        }
        _ => not_a_library("it is no shared library"),
    })?;
    check_machine(&file, machine)?;
    if file.kind() != ObjectKind::Dynamic {
        return Err(not_a_library("it is an executable, an object file or a core dump, not a shared library"));
    }
    let len = data.len().map_err(|()| damaged("its length cannot be found"))?;
    check_whole(&file, len)?;
    let Some(section) = file.section_by_name(section_name(file.format())) else {
        return Err(not_a_library("it is a library, but no montrs driver: it has no metadata record"));
    };
    // A PE section is padded to the alignment of the file.
    const MOST_PADDING: u64 = 4096;
    if section.size() > record::MAX_LEN as u64 + MOST_PADDING {
        let reason = format!("its metadata record has {} bytes; {} are allowed", section.size(), record::MAX_LEN);
        return Err(Refusal::new(RefusalKind::Record, reason));
    }
    let bytes = section.data().map_err(|e| damaged(&e.to_string()))?;
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    // The NUL byte that ends the last field stays.
    Ok(&bytes[..bytes.len().min(end + 1)])
}

fn check_machine<'data, R: ReadRef<'data>>(file: &object::File<'data, R>, machine: &Machine) -> Result<(), Refusal> {
    if file.format() != machine.format {
        return Err(foreign(format!(
            "it is made for {}, this application runs on {}",
            system_of(file.format()),
            system_of(machine.format)
        )));
    }
    let bits = |is_64| if is_64 { "64" } else { "32" };
    if file.is_64() != machine.is_64 {
        return Err(foreign(format!(
            "it is a {}-bit library, this application has {} bits",
            bits(file.is_64()),
            bits(machine.is_64)
        )));
    }
    if file.endianness() != machine.endianness {
        return Err(foreign(format!("it is {:?}-endian, this machine is not", file.endianness()).to_lowercase()));
    }
    if let Some(architecture) = machine.architecture
        && file.architecture() != architecture
    {
        let theirs = match file.architecture() {
            Architecture::Unknown => "an unknown machine".into(),
            theirs => format!("{theirs:?}"),
        };
        return Err(foreign(format!("it is made for {theirs}, this machine is {architecture:?}")));
    }
    check_system(file)
}

/// Every Unix has ELF, and Linux libraries name no system or GNU's.
fn check_system<'data, R: ReadRef<'data>>(file: &object::File<'data, R>) -> Result<(), Refusal> {
    use object::elf;
    let FileFlags::Elf { os_abi, .. } = file.flags() else { return Ok(()) };
    let system = match os_abi {
        elf::ELFOSABI_FREEBSD => "freebsd",
        elf::ELFOSABI_NETBSD => "netbsd",
        elf::ELFOSABI_OPENBSD => "openbsd",
        elf::ELFOSABI_SOLARIS => "solaris",
        _ => return Ok(()),
    };
    if system == std::env::consts::OS {
        return Ok(());
    }
    Err(foreign(format!("it is made for {system}, this application runs on {}", std::env::consts::OS)))
}

fn check_whole<'data, R: ReadRef<'data>>(file: &object::File<'data, R>, len: u64) -> Result<(), Refusal> {
    let mut segments = 0;
    for segment in file.segments() {
        segments += 1;
        check_inside("a segment", segment.file_range(), len)?;
    }
    if segments == 0 {
        return Err(damaged("it has nothing to load"));
    }
    for section in file.sections() {
        if let Some(range) = section.file_range() {
            check_inside("a section", range, len)?;
        }
    }
    Ok(())
}

fn check_inside(what: &str, (start, size): (u64, u64), len: u64) -> Result<(), Refusal> {
    match start.checked_add(size) {
        Some(end) if end <= len => Ok(()),
        _ => Err(damaged(&format!("{what} ends behind the file's {len} bytes"))),
    }
}

fn section_name(format: BinaryFormat) -> &'static str {
    match format {
        BinaryFormat::MachO => record::SECTION_MACHO,
        BinaryFormat::Pe => record::SECTION_PE,
        _ => record::SECTION_ELF,
    }
}

fn system_of(format: BinaryFormat) -> &'static str {
    match format {
        BinaryFormat::MachO => "macOS",
        BinaryFormat::Pe => "Windows",
        BinaryFormat::Elf => "Linux or another Unix",
        _ => "another system",
    }
}

fn not_a_library(reason: &str) -> Refusal {
    Refusal::new(RefusalKind::NotADriver, reason)
}

fn foreign(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Foreign, reason)
}

fn damaged(detail: &str) -> Refusal {
    Refusal::new(RefusalKind::Damaged, format!("it is cut short or damaged ({detail}); copy it again"))
}

/// A file, read piece by piece, that gives up when its headers ask for more than headers need.
///
/// [`ReadCache`] keeps every piece, and contradicting headers can make a parser ask for the same bytes in many ways.
#[derive(Clone, Copy)]
struct Frugal<'data> {
    cache: &'data ReadCache<File>,
    spent: &'data Cell<u64>,
}

/// Headers, section names and symbol tables together. The symbols of a large library with all its debug information
/// take some 10 MiB.
const MAX_SPENT: u64 = 64 * 1024 * 1024;
/// What one name costs: the cache reads it in pieces of this length.
const NAME_COST: u64 = 256;

impl Frugal<'_> {
    fn spend(self, cost: u64) -> Result<(), ()> {
        let spent = self.spent.get().saturating_add(cost);
        self.spent.set(spent);
        if spent > MAX_SPENT { Err(()) } else { Ok(()) }
    }
}

impl<'data> ReadRef<'data> for Frugal<'data> {
    fn len(self) -> Result<u64, ()> {
        self.cache.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'data [u8], ()> {
        self.spend(size)?;
        self.cache.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'data [u8], ()> {
        self.spend(NAME_COST)?;
        self.cache.read_bytes_at_until(range, delimiter)
    }
}

#[cfg(test)]
#[path = "../tests/support/library.rs"]
pub(crate) mod library;

#[cfg(test)]
mod tests {
    use super::*;
    use library::{elf, fields, mach_o, pe, record_bytes};
    use proptest::prelude::*;

    const LINUX: Machine = Machine {
        format: BinaryFormat::Elf,
        architecture: Some(Architecture::X86_64),
        is_64: true,
        endianness: Endianness::Little,
    };
    const MAC: Machine = Machine { format: BinaryFormat::MachO, architecture: Some(Architecture::Aarch64), ..LINUX };
    const WINDOWS: Machine = Machine { format: BinaryFormat::Pe, ..LINUX };

    fn toy() -> Vec<u8> {
        record_bytes(&fields("toy", "1.0.0", "toy"))
    }

    fn refused(bytes: &[u8], machine: &Machine) -> Refusal {
        record_section(bytes, machine).expect_err("it is refused")
    }

    #[test]
    fn the_record_is_read_from_elf_mach_o_and_pe() {
        let record = toy();
        for (bytes, machine) in [(elf(&record), LINUX), (mach_o(&record), MAC), (pe(&record), WINDOWS)] {
            assert_eq!(record_section(&bytes[..], &machine).unwrap(), record);
        }
    }

    #[test]
    fn a_library_for_another_system_is_refused_by_name() {
        let record = toy();
        assert!(refused(&mach_o(&record), &LINUX).reason().contains("macOS"));
        assert!(refused(&pe(&record), &LINUX).reason().contains("Windows"));
        assert!(refused(&elf(&record), &WINDOWS).reason().contains("Linux"));
        let mut freebsd = elf(&record);
        freebsd[7] = 9;
        assert!(refused(&freebsd, &LINUX).reason().contains("freebsd"));
    }

    #[test]
    fn another_architecture_and_byte_order_are_refused() {
        let record = toy();
        let mut arm = elf(&record);
        arm[18] = 183;
        let refusal = refused(&arm, &LINUX);
        assert_eq!(refusal.kind(), RefusalKind::Foreign);
        assert!(refusal.reason().contains("Aarch64") && refusal.reason().contains("X86_64"), "{refusal}");
        let big = Machine { endianness: Endianness::Big, ..LINUX };
        assert!(refused(&elf(&record), &big).reason().contains("little-endian"));
    }

    #[test]
    fn a_32_bit_library_is_refused() {
        let refusal = refused(&library::elf_32(), &LINUX);
        assert!(refusal.reason().contains("32-bit"), "{refusal}");
    }

    #[test]
    fn a_file_cut_at_any_byte_is_refused_in_every_format() {
        let record = toy();
        for (bytes, machine) in [(elf(&record), LINUX), (mach_o(&record), MAC), (pe(&record), WINDOWS)] {
            for end in 0..bytes.len() {
                refused(&bytes[..end], &machine);
            }
        }
    }

    #[test]
    fn a_segment_that_ends_behind_the_file_is_damage() {
        let mut bytes = elf(&toy());
        // p_filesz of the only program header.
        bytes[64 + 32..64 + 40].copy_from_slice(&u64::MAX.to_le_bytes());
        let refusal = refused(&bytes, &LINUX);
        assert_eq!(refusal.kind(), RefusalKind::Damaged);
        assert!(refusal.reason().contains("copy it again"), "{refusal}");
    }

    #[test]
    fn a_library_without_a_record_is_no_driver() {
        let bytes = library::elf_with_section(".other", &toy());
        let refusal = refused(&bytes, &LINUX);
        assert_eq!(refusal.kind(), RefusalKind::NotADriver);
        assert!(refusal.reason().contains("metadata record"), "{refusal}");
    }

    #[test]
    fn a_record_that_is_too_long_is_refused_before_it_is_read() {
        let refusal = refused(&elf(&vec![b'x'; record::MAX_LEN * 2]), &LINUX);
        assert_eq!(refusal.kind(), RefusalKind::Record);
    }

    #[test]
    fn reading_piece_by_piece_gives_the_same_as_reading_all() {
        use std::io::Write;
        let bytes = elf(&toy());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        assert_eq!(record_of_file(file).ok(), record_of_bytes(&bytes).ok());
    }

    proptest! {
        #[test]
        fn any_change_of_a_library_is_read_or_refused(
            format in 0..3usize,
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let record = toy();
            let (mut bytes, machine) =
                vec![(elf(&record), LINUX), (mach_o(&record), MAC), (pe(&record), WINDOWS)].swap_remove(format);
            for (index, byte) in changes {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = record_section(&bytes[..], &machine);
        }
    }
}
