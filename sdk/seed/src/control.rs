//! The paragraph format of Debian: control files, package lists, release files, `.sources` files. Borrows, never copies.

/// One paragraph: fields in the order of the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paragraph<'a> {
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Paragraph<'a> {
    /// The value of the field, trimmed; a value of several lines keeps their line breaks.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// All paragraphs of a text. Comment lines and lines that are no field are skipped.
pub(crate) fn paragraphs(text: &str) -> impl Iterator<Item = Paragraph<'_>> {
    let mut cursor = Cursor { text, at: 0 };
    std::iter::from_fn(move || {
        while cursor.at < text.len() {
            let paragraph = cursor.paragraph();
            if !paragraph.fields.is_empty() {
                return Some(paragraph);
            }
        }
        None
    })
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn paragraph(&mut self) -> Paragraph<'a> {
        let mut fields = Vec::new();
        while let Some(line) = self.peek() {
            let start = self.at;
            self.at += line.len() + 1;
            if line.trim().is_empty() {
                break;
            }
            if line.starts_with(['#', ' ', '\t']) {
                continue;
            }
            let Some(colon) = line.find(':') else { continue };
            while self
                .peek()
                .is_some_and(|next| next.starts_with([' ', '\t']) && !next.trim().is_empty())
            {
                self.at += self.peek().map_or(0, str::len) + 1;
            }
            let end = self.at.min(self.text.len());
            fields.push((&line[..colon], self.text[start + colon + 1..end].trim()));
        }
        Paragraph { fields }
    }

    fn peek(&self) -> Option<&'a str> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        Some(rest.split_once('\n').map_or(rest, |(line, _)| line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_fields_and_continuations() {
        let text = "\n# comment\nPackage: a\nDepends: b,\n c (>= 1)\nDescription: x\n long\n .\n more\n\n\nPackage: d\nlast:";
        let all: Vec<_> = paragraphs(text).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].get("package"), Some("a"));
        assert_eq!(all[0].get("Depends"), Some("b,\n c (>= 1)"));
        assert_eq!(all[0].get("Description"), Some("x\n long\n .\n more"));
        assert_eq!(all[1].get("Package"), Some("d"));
        assert_eq!(all[1].get("Last"), Some(""));
        assert_eq!(all[1].get("Nothing"), None);
    }
}
