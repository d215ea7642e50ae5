//! `NodeId`: the name of an action, stable from build to build, and the file name made of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// File names end at 255 bytes on Linux. Escapes triple a byte at worst, so the readable ids of real graphs fit easily
/// and a pathological one is caught by [`NodeId::file_name`]'s own bound.
const MAX_LEN: usize = 180;

/// The name of an action, for example `package:sys-libs/zlib-1.3.1`.
///
/// It is what records of earlier runs, logs and the command line know an action by. It is not part of the key: renaming
/// an action does not rebuild it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(String);

/// Why a text is not a [`NodeId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeIdError {
    /// The text is empty.
    #[error("the name of an action is empty")]
    Empty,
    /// The text does not fit into a file name.
    #[error("the name of an action is longer than {MAX_LEN} bytes: `{text}`")]
    TooLong {
        /// The text.
        text: String,
    },
    /// The text has white space or a control character.
    #[error("the name of an action has white space or a control character: {text:?}")]
    Character {
        /// The text.
        text: String,
    },
}

impl NodeId {
    /// Parses a name.
    pub fn new(text: impl Into<String>) -> Result<Self, NodeIdError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NodeIdError::Empty);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(NodeIdError::Character { text });
        }
        if text.len() > MAX_LEN || file_name(&text).len() > MAX_LEN + 60 {
            return Err(NodeIdError::TooLong { text });
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A file name for what is kept per action. Different names give different file names.
    pub fn file_name(&self) -> String {
        file_name(&self.0)
    }
}

/// `:` and `/` get one readable stand-in each; whatever could collide with those, or is odd in a file name, is escaped.
fn file_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b':' => name.push('='),
            b'/' => name.push(','),
            b'.' if position == 0 => name.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'+' | b'-' | b'@' | b'~' => {
                name.push(char::from(byte));
            }
            other => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                name.push('%');
                name.push(char::from(HEX[usize::from(other >> 4)]));
                name.push(char::from(HEX[usize::from(other & 15)]));
            }
        }
    }
    name
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, NodeIdError> {
        Self::new(text)
    }
}

impl TryFrom<String> for NodeId {
    type Error = NodeIdError;

    fn try_from(text: String) -> Result<Self, NodeIdError> {
        Self::new(text)
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.0
    }
}
