//! A kernel's image, as what is executed is looked up in it.

use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

/// A kernel's code and the names of its functions.
pub struct Image {
    sections: Vec<(u64, Vec<u8>)>,
    functions: Vec<(u64, String)>,
}

impl Image {
    /// Reads a vmlinux.
    pub fn load(vmlinux: &Path) -> Result<Self> {
        let context = || format!("reading {}", vmlinux.display());
        let bytes = std::fs::read(vmlinux).with_context(context)?;
        let file = object::File::parse(&*bytes).with_context(context)?;
        let mut sections = Vec::new();
        for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
            sections.push((section.address(), section.data().with_context(context)?.to_vec()));
        }
        // What is written in assembler may be no function to the linker, and has a size all the same.
        let functions = file.symbols().filter(|symbol| match symbol.kind() {
            SymbolKind::Text => true,
            SymbolKind::Unknown => symbol.size() > 0,
            _ => false,
        });
        let mut functions: Vec<_> = functions
            .map(|symbol| Ok((symbol.address(), symbol.name()?.to_owned())))
            .collect::<object::Result<_>>()
            .with_context(context)?;
        functions.sort();
        Ok(Self { sections, functions })
    }

    /// The function that an address is in; none below the first.
    pub fn function(&self, address: u64) -> Option<&str> {
        let after = self.functions.partition_point(|(start, _)| *start <= address);
        self.functions[..after].last().map(|(_, name)| name.as_str())
    }

    /// The function that begins at an address.
    pub fn begins(&self, address: u64) -> Option<&str> {
        let after = self.functions.partition_point(|(start, _)| *start <= address);
        self.functions[..after].last().filter(|(start, _)| *start == address).map(|(_, name)| name.as_str())
    }

    /// Where a function begins.
    pub fn address(&self, function: &str) -> Option<u64> {
        self.functions.iter().find(|(_, name)| name == function).map(|(address, _)| *address)
    }

    /// The code from an address on.
    pub fn code(&self, address: u64) -> &[u8] {
        let in_section =
            |(start, bytes): &&(u64, Vec<u8>)| *start <= address && address - *start < bytes.len() as u64;
        self.sections.iter().find(in_section).map_or(&[], |(start, bytes)| {
            usize::try_from(address - start).map_or(&[], |offset| &bytes[offset..])
        })
    }

    /// The length of the conditional jump at an address, if one is there.
    ///
    /// What a running kernel patches - static branches, alternatives - are jumps without a condition, or none.
    pub fn conditional(&self, address: u64) -> Option<u64> {
        match self.code(address) {
            [0x70..=0x7f | 0xe3, ..] => Some(2),
            [0x0f, 0x80..=0x8f, ..] => Some(6),
            _ => None,
        }
    }
}

#[cfg(test)]
impl Image {
    /// One for tests: code at an address, and its functions.
    pub fn of(start: u64, code: &[u8], functions: &[(u64, &str)]) -> Self {
        let functions = functions.iter().map(|&(address, name)| (address, name.to_owned()));
        Self { sections: vec![(start, code.to_vec())], functions: functions.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_function() {
        let image = Image::of(16, &[0x90, 0xc3], &[(16, "receive")]);
        assert_eq!(image.function(17), Some("receive"));
        assert_eq!(image.function(15), None);
    }
}
