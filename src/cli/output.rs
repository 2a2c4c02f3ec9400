//! How commands speak: what was asked for goes to standard output, everything else to standard error, in colours only
//! where somebody sees them. That nobody reads any more is no error: so ends `… | head`.

use std::fmt::Display;
use std::io::{ErrorKind, Result, Write};

use anstyle::{AnsiColor, Style};

use super::table::clean;

pub(super) const HEADER: Style = Style::new().bold();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const ASIDE: Style = Style::new().dimmed();

/// A text in a style.
pub(super) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints data, byte for byte.
pub(super) fn print(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    unless_nobody_reads(output.write_all(text.as_bytes()).and_then(|()| output.flush()))
}

/// Prints what is made for people; styles are left out where they are not wanted.
pub(super) fn show(text: &str) -> Result<()> {
    let mut output = anstream::stdout().lock();
    unless_nobody_reads(output.write_all(text.as_bytes()).and_then(|()| output.flush()))
}

/// What was written before nobody read any more was enough.
pub(super) fn unless_nobody_reads(written: Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Says why a command failed: a line for each problem.
pub(super) fn report(message: &str) {
    say(BAD, "error", message);
}

/// Says what a command leaves out, or what deserves a second look: one line, whatever stands in it. Names and reasons of
/// registries do.
pub(super) fn warn(message: &str) {
    say(DOUBTFUL, "warning", &clean(message));
}

/// Says what can be done.
pub(super) fn hint(message: &str) {
    say(HEADER, "hint", message);
}

/// Says what was done, where that is not what was asked for.
pub(super) fn note(message: &str) {
    let mut output = anstream::stderr().lock();
    // Where nobody listens, nothing can be said.
    let _ = writeln!(output, "{}", clean(message));
}

/// Nothing of a message can steer a terminal, whoever wrote it.
fn say(style: Style, what: &str, message: &str) {
    let mut output = anstream::stderr().lock();
    for line in message.lines() {
        let _ = writeln!(output, "{}: {}", styled(style, what), clean(line));
    }
}
