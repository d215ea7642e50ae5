//! The only place that reads XML: a document becomes a small tree of elements and attributes, or an error.

use std::borrow::Cow;

use quick_xml::errors::Error as XmlError;
use quick_xml::escape::EscapeError;
use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::error::excerpt;
use crate::{MAX_ATTRIBUTES, MAX_DEPTH, MAX_DOCUMENT, MAX_ELEMENTS, MAX_VALUE, OmahaError};

/// An element with what the protocol looks at: names without prefix, attributes, children. Text is not kept.
#[derive(Debug, Default)]
pub(crate) struct Element<'a> {
    pub(crate) name: String,
    attributes: Vec<(String, Cow<'a, str>)>,
    children: Vec<Self>,
}

impl Element<'_> {
    /// The value of an attribute, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// The value of an attribute; a missing one is an empty one.
    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// Whether an attribute says yes: `true` or `1`, as the writers of these documents have it.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name).map(str::trim), Some("true" | "True" | "TRUE" | "1"))
    }

    /// A number, if the attribute is there and not empty.
    pub(crate) fn number<T: std::str::FromStr>(
        &self,
        element: &'static str,
        attribute: &'static str,
    ) -> Result<Option<T>, OmahaError> {
        match self.get(attribute).map(str::trim) {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| OmahaError::Number {
                element,
                attribute,
                value: excerpt(text),
            }),
        }
    }

    /// The first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children(name).next()
    }

    /// All children of a name, in order.
    pub(crate) fn children(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// Reads a document whose outermost element has to be `root`.
pub(crate) fn parse<'a>(bytes: &'a [u8], root: &'static str) -> Result<Element<'a>, OmahaError> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(OmahaError::TooLong { size: bytes.len(), limit: MAX_DOCUMENT });
    }
    let text = str::from_utf8(bytes).map_err(|_| OmahaError::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    let mut tree = Tree::default();
    loop {
        let event =
            reader.read_event().map_err(|error| malformed(reader.error_position(), &error))?;
        if let Event::Eof = event {
            break;
        }
        tree.take(event, reader.buffer_position())?;
    }
    tree.finish(root)
}

/// A tree in the making.
#[derive(Default)]
struct Tree<'a> {
    open: Vec<Element<'a>>,
    root: Option<Element<'a>>,
    elements: usize,
}

impl<'a> Tree<'a> {
    fn take(&mut self, event: Event<'a>, offset: u64) -> Result<(), OmahaError> {
        match event {
            Event::Start(start) => self.begin(&start, offset),
            Event::Empty(start) => {
                self.begin(&start, offset)?;
                self.end();
                Ok(())
            }
            Event::End(_) => {
                self.end();
                Ok(())
            }
            Event::Decl(declaration) => check_declaration(&declaration),
            Event::DocType(_) => Err(OmahaError::DocumentType),
            Event::GeneralRef(reference) if reference.is_char_ref() => self.no_loose_text(offset),
            Event::GeneralRef(reference) => {
                let name = reference.into_inner();
                match is_predefined(&name) {
                    true => self.no_loose_text(offset),
                    false => Err(OmahaError::Entity { name: excerpt(&name) }),
                }
            }
            Event::Text(text) if text.trim_ascii().is_empty() => Ok(()),
            Event::Text(_) | Event::CData(_) => self.no_loose_text(offset),
            Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn begin(&mut self, start: &BytesStart<'a>, offset: u64) -> Result<(), OmahaError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(OmahaError::TooManyElements { limit: MAX_ELEMENTS });
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(OmahaError::TooDeep { limit: MAX_DEPTH });
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(OmahaError::Malformed {
                offset,
                reason: "a second outermost element".into(),
            });
        }
        self.open.push(element(start, offset)?);
        Ok(())
    }

    /// The reader has already seen to it that the names match.
    fn end(&mut self) {
        let Some(done) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(done),
            None => self.root = Some(done),
        }
    }

    fn no_loose_text(&self, offset: u64) -> Result<(), OmahaError> {
        match self.open.is_empty() {
            true => Err(OmahaError::Malformed {
                offset,
                reason: "text outside of the outermost element".into(),
            }),
            false => Ok(()),
        }
    }

    fn finish(self, expected: &'static str) -> Result<Element<'a>, OmahaError> {
        if let Some(open) = self.open.last() {
            let reason = format!("`{}` is not closed", excerpt(&open.name));
            return Err(OmahaError::Malformed { offset: 0, reason });
        }
        match self.root {
            Some(root) if root.name == expected => Ok(root),
            Some(root) => {
                Err(OmahaError::Root { expected, found: format!("a `{}`", excerpt(&root.name)) })
            }
            None => Err(OmahaError::Root { expected, found: "empty".into() }),
        }
    }
}

fn element<'a>(start: &BytesStart<'a>, offset: u64) -> Result<Element<'a>, OmahaError> {
    let name = start.local_name().into_inner().to_owned();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        if attributes.len() == MAX_ATTRIBUTES {
            return Err(OmahaError::TooManyAttributes {
                element: excerpt(&name),
                limit: MAX_ATTRIBUTES,
            });
        }
        let attribute = attribute
            .map_err(|error| OmahaError::Malformed { offset, reason: error.to_string() })?;
        let key = attribute.key.into_inner().to_owned();
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| malformed(offset, &error))?;
        check_value(&name, &key, &value)?;
        attributes.push((key, Cow::Owned(value.into_owned())));
    }
    Ok(Element { name, attributes, children: Vec::new() })
}

fn check_value(element: &str, attribute: &str, value: &str) -> Result<(), OmahaError> {
    let names = || (excerpt(element), excerpt(attribute));
    if value.len() > MAX_VALUE {
        let (element, attribute) = names();
        return Err(OmahaError::LongValue { element, attribute, limit: MAX_VALUE });
    }
    if !value.chars().all(is_xml_char) {
        let (element, attribute) = names();
        return Err(OmahaError::Character { element, attribute });
    }
    Ok(())
}

/// Whether XML 1.0 allows a character at all (production 2 of the recommendation).
pub(crate) fn is_xml_char(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

fn is_predefined(name: &str) -> bool {
    matches!(name, "lt" | "gt" | "amp" | "apos" | "quot")
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), OmahaError> {
    match declaration.encoding() {
        Some(Ok(encoding)) if !encoding.eq_ignore_ascii_case("utf-8") => Err(OmahaError::NotUtf8),
        _ => Ok(()),
    }
}

fn malformed(offset: u64, error: &XmlError) -> OmahaError {
    match error {
        XmlError::Escape(EscapeError::UnrecognizedEntity(_, name)) => {
            OmahaError::Entity { name: excerpt(name) }
        }
        other => OmahaError::Malformed { offset, reason: other.to_string() },
    }
}
