//! Plain columns for people, which other programs can read too. What others wrote cannot steer a terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// What stands between two columns.
const GAP: &str = "  ";

/// A text without what a terminal would act upon: control characters, and those that turn the direction of a line.
pub(super) fn clean(text: &str) -> String {
    let steers = |char: char| {
        char.is_control()
            || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|char| if steers(char) { '\u{fffd}' } else { char }).collect()
}

/// How many columns of a terminal a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// As much of a text as takes no more than so many columns; an ellipsis says that something is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let mut room = most.saturating_sub(1);
    let fits = |char: &char| {
        let width = char.width().unwrap_or(0);
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.truncate(kept.trim_end().len());
    kept + "…"
}

/// The widths of columns: that of their widest cell, but no more than `most`; wider cells push the others aside.
pub(super) fn widths<const N: usize>(rows: &[[String; N]], most: usize) -> [usize; N] {
    std::array::from_fn(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or_default().min(most))
}

/// A line of cells, the last one without spaces after it.
pub(super) fn line<const N: usize>(row: &[String; N], widths: [usize; N]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
        line.push_str(GAP);
    }
    line.truncate(line.trim_end().len());
    line
}

/// How many columns the terminal has that standard output leads to, if it does.
pub(super) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(
            clean("a\u{1b}[31m\r\nb\u{9b}c\u{202e}d\u{7f}"),
            "a\u{fffd}[31m\u{fffd}\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}"
        );
        assert_eq!(clean("é漢字 🙂"), "é漢字 🙂");
    }

    #[test]
    fn texts_are_cut_by_the_columns_that_they_take() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("漢字漢字", 4), "漢…");
        assert_eq!(cut("a b c", 3), "a…");
        assert_eq!(cut("abc", 0), "…");
    }

    #[test]
    fn columns_are_as_wide_as_what_they_hold() {
        let rows = [["a", "x", ""], ["漢字", "y", "z"]].map(|row| row.map(str::to_owned));
        let widths = widths(&rows, 40);
        assert_eq!(widths, [4, 1, 1]);
        assert_eq!(rows.map(|row| line(&row, widths)), ["a     x", "漢字  y  z"]);
    }
}
