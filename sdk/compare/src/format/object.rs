//! Programs and libraries (ELF), kernels and UKIs (PE): their sections.

use std::io;

use ::object::{Object as _, ObjectSection as _};

use super::Item;
use crate::{
    Place,
    content::{Content, malformed},
};

/// A file is held in memory to be parsed; larger ones are compared by their bytes.
const SIZE_MAX: u64 = 512 * 1024 * 1024;

/// First what the sections hold, then where they are: that one has grown moves all that follow.
pub(super) fn list(content: &Content) -> io::Result<Vec<Item>> {
    if content.len() > SIZE_MAX {
        return Err(malformed());
    }
    let bytes = content.excerpt(0, content.len() as usize)?;
    let file = ::object::File::parse(bytes.as_slice()).map_err(|_| malformed())?;
    let (mut items, mut places) = (Vec::new(), Vec::new());
    for section in file.sections() {
        let name = section.name_bytes().map_err(|_| malformed())?;
        let place = Place::Section(String::from_utf8_lossy(name).into_owned());
        let part = section.file_range().map(|(start, len)| content.slice(start, len));
        items.push(Item {
            place: place.clone(),
            fields: vec![("kind", format!("{:?}", section.kind()))],
            content: part.transpose()?,
        });
        let fields = vec![
            ("size", section.size().to_string()),
            ("address", format!("{:#x}", section.address())),
            ("alignment", section.align().to_string()),
        ];
        places.push(Item { place, fields, content: None });
    }
    items.append(&mut places);
    Ok(items)
}
