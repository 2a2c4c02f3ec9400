//! Verdicts as lines for people: what stands where, the verdict, and why.

use std::fmt::Write as _;

use super::Checked;
use crate::cli::output::{HEADER, styled};
use crate::cli::table::{clean, line, widths};
use crate::inspect::validate::Verdict;

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
    let widths = widths(&rows, usize::MAX);
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let line = line(row, widths);
        let _ = writeln!(text, "{}", if index == 0 { styled(HEADER, line) } else { line });
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
