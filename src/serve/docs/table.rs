//! Tables of three columns: what, its value, its meaning.
//!
//! On narrow screens the style lays the cells of a row under each other. Browsers then forget that they are a
//! table's, so the roles are spelled out for those who have the page read to them.

use maud::{Markup, html};

/// A table; the first cell of each row names it.
pub(super) fn table(
    caption: &str,
    class: &str,
    columns: [&str; 3],
    rows: impl IntoIterator<Item = [Markup; 3]>,
) -> Markup {
    html! {
        table class=(class) role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" { @for column in columns { th scope="col" role="columnheader" { (column) } } }
            }
            tbody role="rowgroup" {
                @for [name, value, meaning] in rows {
                    tr role="row" {
                        th scope="row" role="rowheader" { (name) }
                        td.value role="cell" { (value) }
                        td role="cell" { (meaning) }
                    }
                }
            }
        }
    }
}
