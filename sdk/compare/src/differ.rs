//! The comparison: first whole contents, then, where they differ, what is inside.

use std::io;

use crate::{
    Difference, Inside, Side, What,
    content::Content,
    format::{Format, Item},
};

/// How many contents inside of each other are looked into.
pub(crate) const DEPTH: usize = 8;

const EXCERPT: usize = 16;

pub(crate) fn differ(a: &Content, b: &Content, depth: usize) -> io::Result<Option<Difference>> {
    let Some(offset) = a.first_difference(b)? else { return Ok(None) };
    let mut inside = Inside::Unknown;
    if depth > 0
        && let Some((a, b)) = look_into(a, b)?
    {
        if let Some(difference) = differ_inside(&a, &b, depth - 1)? {
            return Ok(Some(difference));
        }
        inside = Inside::Equal;
    }
    let side = |content: &Content| -> io::Result<Side> {
        Ok(Side { size: content.len(), excerpt: content.excerpt(offset, EXCERPT)? })
    };
    let what = What::Bytes { offset, first: side(a)?, second: side(b)?, inside };
    Ok(Some(Difference { places: vec![], what }))
}

fn look_into(a: &Content, b: &Content) -> io::Result<Option<(Vec<Item>, Vec<Item>)>> {
    match (Format::of(a)?, Format::of(b)?) {
        (Some(format), Some(other)) if format == other => {
            Ok(intact(format.list(a))?.zip(intact(format.list(b))?))
        }
        _ => Ok(None),
    }
}

/// What is damaged has no inside, but what cannot be read is an error.
fn intact(items: io::Result<Vec<Item>>) -> io::Result<Option<Vec<Item>>> {
    use io::ErrorKind::{InvalidData, Other, UnexpectedEof};
    match items {
        // Damage is `Other` for zstd, which it never is for the operating system.
        Err(error) if matches!(error.kind(), InvalidData | Other | UnexpectedEof) => Ok(None),
        Err(error) => Err(error),
        Ok(items) if items.is_empty() => Ok(None),
        Ok(items) => Ok(Some(items)),
    }
}

fn differ_inside(a: &[Item], b: &[Item], depth: usize) -> io::Result<Option<Difference>> {
    for index in 0..a.len().max(b.len()) {
        let difference = match (a.get(index), b.get(index)) {
            (Some(a), Some(b)) if a.place == b.place => {
                differ_at(a, b, depth)?.map(|difference| difference.below(a.place.clone()))
            }
            _ => misplaced(a, b, index),
        };
        if difference.is_some() {
            return Ok(difference);
        }
    }
    Ok(None)
}

/// Why there are not the same places at `index`.
fn misplaced(a: &[Item], b: &[Item], index: usize) -> Option<Difference> {
    let find = |items: &[Item], item: &Item| items.iter().position(|i| i.place == item.place);
    let (item, what) = match (a.get(index), b.get(index)) {
        (Some(one), Some(other)) => match (find(b, one), find(a, other)) {
            (None, _) => (one, What::OnlyInFirst),
            (_, None) => (other, What::OnlyInSecond),
            (Some(at), Some(_)) => {
                let (first, second) = ((index + 1).to_string(), (at + 1).to_string());
                (one, What::Field { name: "position", first, second })
            }
        },
        (Some(one), None) => (one, What::OnlyInFirst),
        (None, other) => (other?, What::OnlyInSecond),
    };
    Some(Difference { places: vec![item.place.clone()], what })
}

fn differ_at(a: &Item, b: &Item, depth: usize) -> io::Result<Option<Difference>> {
    for ((name, first), (_, second)) in a.fields.iter().zip(&b.fields) {
        if first != second {
            let (first, second) = (first.clone(), second.clone());
            let what = What::Field { name, first, second };
            return Ok(Some(Difference { places: vec![], what }));
        }
    }
    match (&a.content, &b.content) {
        (Some(a), Some(b)) => differ(a, b, depth),
        _ => Ok(None),
    }
}
