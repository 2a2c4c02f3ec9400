//! Entries as they are served, in the documents that hold them: one a line, and as the body of a list.

use std::io::{Result, Write};

use crate::catalog::{Catalog, Version};

/// Every version of the catalog, deleted ones included.
pub(in crate::cli) fn all(catalog: &Catalog) -> impl Iterator<Item = &Version> {
    catalog.servers().iter().flat_map(|server| &server.versions)
}

/// Every entry on a line of its own.
pub(in crate::cli) fn lines(out: &mut dyn Write, catalog: &Catalog) -> Result<()> {
    let mut line = Vec::new();
    for version in all(catalog) {
        line.clear();
        version.write_to(&mut line);
        line.push(b'\n');
        out.write_all(&line)?;
    }
    Ok(())
}

/// One entry as a document.
pub(in crate::cli) fn one(out: &mut dyn Write, version: &Version) -> Result<()> {
    let mut document = Vec::with_capacity(version.served_length() + 1);
    version.write_to(&mut document);
    document.push(b'\n');
    out.write_all(&document)
}

/// `{"servers":[…],"metadata":{"count":…}}`, in one page.
pub(in crate::cli) fn document<'a>(out: &mut dyn Write, versions: impl Iterator<Item = &'a Version>) -> Result<()> {
    let (mut count, mut entry) = (0_usize, Vec::new());
    out.write_all(br#"{"servers":["#)?;
    for version in versions {
        entry.clear();
        if count > 0 {
            entry.push(b',');
        }
        version.write_to(&mut entry);
        out.write_all(&entry)?;
        count += 1;
    }
    writeln!(out, r#"],"metadata":{{"count":{count}}}}}"#)
}
