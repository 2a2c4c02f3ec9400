//! Characters that do not show, or that change how others do: what a text that strangers wrote can deceive with.

/// Whether a character turns the direction of writing around.
#[must_use]
pub fn is_direction(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character does not show, or not as itself: controls, what changes directions, spaces of other widths, fillers,
/// what joins or varies its neighbours, tags.
#[must_use]
pub fn is_hidden(char: char) -> bool {
    is_direction(char)
        || char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{34f}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{2000}'..='\u{200d}'
                | '\u{2028}'..='\u{2029}'
                | '\u{205f}'..='\u{2065}'
                | '\u{206a}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_every_script_show_and_what_deceives_does_not() {
        for char in "aZ0 /-é漢字Ωאبक\u{301}🦀".chars() {
            assert!(!is_hidden(char), "{char:?}");
        }
        for char in "\0\n\u{7f}\u{85}\u{ad}\u{200b}\u{200d}\u{202e}\u{2066}\u{feff}\u{fe0f}\u{e0041}".chars() {
            assert!(is_hidden(char), "{char:?}");
        }
        assert!(is_direction('\u{202e}') && !is_direction('\u{200b}'));
    }
}
