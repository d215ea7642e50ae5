//! Tables as `updateservicectl` prints them: columns end at tab stops, and tabs fill them.

use std::fmt;

/// The distance of tab stops, in characters.
const TAB: usize = 8;

/// Rows of cells; the first row holds the names of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[&str]) -> Self {
        Self { rows: vec![columns.iter().map(ToString::to_string).collect()] }
    }

    /// The same table with a row more.
    #[must_use]
    pub fn with(mut self, row: Vec<String>) -> Self {
        self.rows.push(row);
        self
    }

    /// A table with a row for each item.
    pub fn of<T>(columns: &[&str], items: &[T], row: impl Fn(&T) -> Vec<String>) -> Self {
        items.iter().fold(Self::new(columns), |table, item| table.with(row(item)))
    }

    /// The width of a column in tab stops: its longest cell and one character.
    fn stops(&self, column: usize) -> usize {
        let longest = self
            .rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max();
        (longest.unwrap_or(0) + 1).div_ceil(TAB)
    }
}

/// Control characters would break rows, or do worse to a terminal.
fn visible(cell: &str) -> String {
    cell.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate() {
                write!(f, "{}", visible(cell))?;
                if column + 1 < row.len() {
                    let tabs = self.stops(column) - cell.chars().count() / TAB;
                    write!(f, "{}", "\t".repeat(tabs))?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(columns: &[&str], rows: &[&[&str]], expected: &str) {
        let table = Table::of(columns, rows, |row| row.iter().map(ToString::to_string).collect());
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn columns_end_at_tab_stops() {
        check(&["Id", "Label", "Description"], &[], "Id\tLabel\tDescription\n");
        check(
            &["Label", "Version", "Publish", "Upstream"],
            &[&["stable", "1.2.3", "true", ""], &["a-long-label", "1.2.3-rc.1", "false", "1"]],
            "Label\t\tVersion\t\tPublish\tUpstream\nstable\t\t1.2.3\t\ttrue\t\na-long-label\t1.2.3-rc.1\tfalse\t1\n",
        );
        check(&["1234567", "x"], &[], "1234567\tx\n");
        check(&["12345678", "x"], &[], "12345678\tx\n");
        check(&["12345678", "x"], &[&["", "y"]], "12345678\tx\n\t\ty\n");
    }

    #[test]
    fn nothing_in_a_cell_breaks_its_row() {
        check(&["a"], &[&["one\ntwo\u{1b}[31m"]], "a\none two [31m\n");
    }

    proptest! {
        #[test]
        fn columns_begin_at_the_same_place(rows in prop::collection::vec(("[a-zü]{0,30}", "[a-z]{1,5}"), 1..6)) {
            let table = Table::of(&["Name", "x"], &rows, |(a, b)| vec![a.clone(), b.clone()]);
            let column = |line: &str| {
                let before = line.rfind('\t').map_or("", |at| &line[..=at]);
                before.chars().fold(0, |at, char| if char == '\t' { at / TAB * TAB + TAB } else { at + 1 })
            };
            let text = table.to_string();
            let starts: Vec<usize> = text.lines().map(column).collect();
            prop_assert!(starts.iter().all(|start| *start == starts[0]), "{text}");
        }
    }
}
