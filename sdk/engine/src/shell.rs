//! Command lines for people to paste: how to look into a file system that was kept.

/// Quotes an argument for a POSIX shell.
pub(crate) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=,+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Joins arguments to a command line.
pub(crate) fn join<I: IntoIterator<Item = S>, S: AsRef<str>>(arguments: I) -> String {
    let quoted: Vec<_> = arguments.into_iter().map(|argument| quote(argument.as_ref())).collect();
    quoted.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_where_needed() {
        assert_eq!(join(["env", "-i", "A=b c", "it's", ""]), r"env -i 'A=b c' 'it'\''s' ''");
    }
}
