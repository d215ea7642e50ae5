//! Why a document cannot be read.

/// A document that is not Omaha, or not one that is safe to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OmahaError {
    /// Longer than [`crate::MAX_DOCUMENT`].
    #[error("the document has {size} bytes; at most {limit} are read")]
    TooLong {
        /// Its length, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Not UTF-8, or a declaration of another encoding.
    #[error("the document is not UTF-8; no other encoding is read")]
    NotUtf8,
    /// Elements in elements beyond [`crate::MAX_DEPTH`].
    #[error("elements nest deeper than {limit} levels")]
    TooDeep {
        /// The limit, in levels.
        limit: usize,
    },
    /// More elements than [`crate::MAX_ELEMENTS`].
    #[error("more than {limit} elements in one document")]
    TooManyElements {
        /// The limit.
        limit: usize,
    },
    /// More attributes than [`crate::MAX_ATTRIBUTES`].
    #[error("more than {limit} attributes at one `{element}`")]
    TooManyAttributes {
        /// The element.
        element: String,
        /// The limit.
        limit: usize,
    },
    /// A value longer than [`crate::MAX_VALUE`].
    #[error("`{element}/@{attribute}` is longer than {limit} bytes")]
    LongValue {
        /// The element.
        element: String,
        /// The attribute.
        attribute: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A `<!DOCTYPE …>`.
    #[error("a document type is not allowed")]
    DocumentType,
    /// A reference to an entity that XML does not define itself.
    #[error("the entity `{name}` is not allowed; only the five of XML itself are")]
    Entity {
        /// Its name.
        name: String,
    },
    /// A character that XML 1.0 forbids, written as a reference.
    #[error("`{element}/@{attribute}` holds a character that XML forbids")]
    Character {
        /// The element.
        element: String,
        /// The attribute.
        attribute: String,
    },
    /// Not well-formed.
    #[error("not well-formed XML at byte {offset}: {reason}")]
    Malformed {
        /// Where, in bytes from the beginning.
        offset: u64,
        /// What the parser said.
        reason: String,
    },
    /// The wrong outermost element, or none at all.
    #[error("the document should be a `{expected}`, but it is {found}")]
    Root {
        /// The element that was looked for.
        expected: &'static str,
        /// What is there instead.
        found: String,
    },
    /// Another version of the protocol.
    #[error("protocol version `{found}` is not understood; only 3.0 is")]
    Protocol {
        /// The version in the document.
        found: String,
    },
    /// An attribute that has to be there.
    #[error("`{element}/@{attribute}` is missing")]
    Missing {
        /// The element.
        element: &'static str,
        /// The attribute.
        attribute: &'static str,
    },
    /// A value that is not a number in its range.
    #[error("`{element}/@{attribute}` should be a number, but it is `{value}`")]
    Number {
        /// The element.
        element: &'static str,
        /// The attribute.
        attribute: &'static str,
        /// The value, cut to 64 characters.
        value: String,
    },
    /// An application identifier that is empty, too long or has characters that no identifier has.
    #[error(
        "`{value}` is not an application identifier; letters, digits, `.`, `-`, `_` in at most 128 bytes are"
    )]
    AppId {
        /// The text, cut to 64 characters.
        value: String,
    },
}

/// The first 64 characters of what somebody sent, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}
