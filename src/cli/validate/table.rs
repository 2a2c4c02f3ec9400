//! Verdicts as lines for people: what stands where, the verdict, and why.

use std::fmt::Write as _;

use super::Checked;
use crate::inspect::validate::Verdict;

/// Plain columns, so that the output can be read by other programs too. What others wrote cannot steer a terminal.
pub(super) fn render(results: &[Checked]) -> String {
    let mut rows = vec![["FILE".to_owned(), "SERVER".to_owned(), "VERDICT".to_owned(), "LISTED AS".to_owned()]];
    for Checked { file, judged } in results {
        let listed = match &judged.server {
            Some(found) => format!("{} {}", found.name, found.version),
            None => judged.candidates.join(", "),
        };
        rows.push(
            [format!("{file}:{}", judged.line), judged.name.clone(), judged.verdict.as_str().to_owned(), listed]
                .map(|cell| clean(&cell)),
        );
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 4] = std::array::from_fn(width);
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
        let judged = index.checked_sub(1).map(|index| &results[index].judged);
        for evidence in
            judged.filter(|judged| judged.verdict != Verdict::Known).map_or(&[][..], |judged| &judged.evidence)
        {
            let _ = writeln!(text, "    {}", clean(evidence));
        }
    }
    let known = results.iter().filter(|result| result.judged.verdict == Verdict::Known).count();
    let _ = writeln!(text, "\n{known} of {} known", results.len());
    text
}

fn clean(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}
