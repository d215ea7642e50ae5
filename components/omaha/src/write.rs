//! The only place that writes XML: compact, every element with an end tag of its own, attributes in the order of
//! the calls.

use crate::xml::is_xml_char;

/// A document in the making.
pub(crate) struct Writer {
    out: String,
}

impl Writer {
    pub(crate) fn new() -> Self {
        let mut out = String::with_capacity(1024);
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Self { out }
    }

    /// An element: its attributes, then its children.
    pub(crate) fn element(
        &mut self,
        name: &'static str,
        attributes: impl FnOnce(&mut Attributes<'_>),
        children: impl FnOnce(&mut Self),
    ) {
        self.out.push('<');
        self.out.push_str(name);
        attributes(&mut Attributes { out: &mut self.out });
        self.out.push('>');
        children(self);
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// An element without children.
    pub(crate) fn leaf(
        &mut self,
        name: &'static str,
        attributes: impl FnOnce(&mut Attributes<'_>),
    ) {
        self.element(name, attributes, |_| {});
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }
}

/// The attributes of an element that was just opened.
pub(crate) struct Attributes<'a> {
    out: &'a mut String,
}

impl Attributes<'_> {
    /// Always written.
    pub(crate) fn put(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        value.chars().for_each(|c| push_escaped(self.out, c));
        self.out.push('"');
        self
    }

    /// Written unless empty.
    pub(crate) fn some(&mut self, name: &'static str, value: &str) -> &mut Self {
        if !value.is_empty() {
            self.put(name, value);
        }
        self
    }

    /// Written when there.
    pub(crate) fn option(&mut self, name: &'static str, value: Option<impl ToString>) -> &mut Self {
        if let Some(value) = value {
            self.put(name, &value.to_string());
        }
        self
    }
}

/// White space other than the blank goes as a reference, for a reader would make a blank of it. What XML forbids
/// altogether becomes the replacement character.
fn push_escaped(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&apos;"),
        '\t' => out.push_str("&#9;"),
        '\n' => out.push_str("&#10;"),
        '\r' => out.push_str("&#13;"),
        c if is_xml_char(c) => out.push(c),
        _ => out.push('\u{fffd}'),
    }
}
