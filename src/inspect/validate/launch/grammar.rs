//! The options of a runner: which ones take a value decides which argument is the package.

use lexopt::{Arg, Parser};

/// The options of a runner, by their names without hyphens; those of one character are short.
pub(super) struct Grammar {
    /// Those that take a value.
    pub(super) with_value: &'static [&'static str],
    /// Those that take none.
    pub(super) bare: &'static [&'static str],
}

/// Arguments up to the first that is no option.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Options and their values, in order.
    pub(super) options: Vec<(String, Option<String>)>,
    /// The first that is no option.
    pub(super) operand: Option<String>,
    /// What follows it.
    pub(super) rest: Vec<String>,
}

/// It is not known whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown;

impl Read {
    /// The first value of an option.
    pub(super) fn value(&self, names: &[&str]) -> Option<&str> {
        self.values(names).next()
    }

    /// All values of an option.
    pub(super) fn values(&self, names: &[&str]) -> impl Iterator<Item = &str> {
        self.options.iter().filter(|(name, _)| names.contains(&name.as_str())).filter_map(|(_, value)| value.as_deref())
    }

    /// The same, after options that were given before.
    pub(super) fn after(mut self, before: Self) -> Self {
        self.options.splice(0..0, before.options);
        self
    }

    /// Whether one of these options is given.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.options.iter().any(|(name, _)| names.contains(&name.as_str()))
    }
}

impl Grammar {
    /// Reads options up to the first argument that is none.
    pub(super) fn read(&self, arguments: &[String]) -> Result<Read, Unknown> {
        let mut parser = Parser::from_args(arguments);
        let mut read = Read::default();
        while let Some(argument) = parser.next().map_err(|_| Unknown)? {
            let (name, is_short) = match argument {
                Arg::Short(char) => (char.to_string(), true),
                Arg::Long(name) => (name.to_owned(), false),
                Arg::Value(value) => {
                    read.operand = Some(value.to_string_lossy().into_owned());
                    let rest = parser.raw_args().map_err(|_| Unknown)?;
                    read.rest = rest.map(|rest| rest.to_string_lossy().into_owned()).collect();
                    return Ok(read);
                }
            };
            let value = if self.with_value.contains(&name.as_str()) {
                Some(parser.value().map_err(|_| Unknown)?)
            } else if is_short {
                self.bare.contains(&name.as_str()).then_some(None).ok_or(Unknown)?
            } else {
                // `--option=value` says for itself that it has one.
                let value = parser.optional_value();
                if value.is_none() && !self.bare.contains(&name.as_str()) {
                    return Err(Unknown);
                }
                value
            };
            read.options.push((name, value.map(|value| value.to_string_lossy().into_owned())));
        }
        Ok(read)
    }
}

impl Grammar {
    /// The options among what follows the operand, up to `--`. Others that are not known are somebody else's, and so
    /// are words.
    pub(super) fn after_operand(&self, arguments: &[String]) -> Read {
        let mut read = Read::default();
        let mut words = arguments.iter().take_while(|word| *word != "--");
        while let Some(word) = words.next() {
            let Some(option) = word.strip_prefix("--") else { continue };
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, None),
            };
            if self.with_value.contains(&name) {
                let value = value.or_else(|| words.next().cloned());
                read.options.push((name.to_owned(), value));
            } else if self.bare.contains(&name) {
                read.options.push((name.to_owned(), value));
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAMMAR: Grammar = Grammar { with_value: &["e", "env"], bare: &["i", "t", "rm"] };

    fn read(line: &str) -> Result<Read, Unknown> {
        GRAMMAR.read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn values_of_options_are_no_operands() {
        let image = read("-it -eA --rm -e B=1 --env C --env=D --label=x image -e E").expect("known options");
        assert_eq!(image.operand.as_deref(), Some("image"));
        assert_eq!(image.values(&["e", "env"]).collect::<Vec<_>>(), ["A", "B=1", "C", "D"]);
        assert_eq!(image.rest, ["-e", "E"]);
        assert!(image.has(&["t"]) && !image.has(&["v"]));
        assert_eq!(read("-- -image").expect("known options").operand.as_deref(), Some("-image"));
    }

    #[test]
    fn what_follows_an_operand_may_be_somebody_elses() {
        let words = ["--label", "x", "word", "--env=A", "-z", "--env", "B", "--", "--env=C"].map(str::to_owned);
        let read = GRAMMAR.after_operand(&words);
        assert_eq!(read.values(&["env"]).collect::<Vec<_>>(), ["A", "B"]);
        assert!(!read.has(&["label"]));
    }

    #[test]
    fn an_option_that_is_not_known_may_take_what_follows() {
        for line in ["--token image", "-z image", "-iz image", "-e"] {
            assert_eq!(read(line).err(), Some(Unknown), "{line}");
        }
    }
}
