//! Whether a version is one, or stands for several: `^1.2`, `>=1`, `1.x`, `1 - 2`, `1 || 2`.

/// Whether this looks like a range of versions.
///
/// The official server also takes a version for one whose tag of a pre-release has an `x` in it, as `1.0.0-next`; that
/// is a fault of its pattern, and not followed.
pub(super) fn is_range(version: &str) -> bool {
    let version = version.trim();
    let comparators = ["^", "~", ">=", "<=", ">", "<", "="];
    let is_compared =
        comparators.iter().any(|sign| version.strip_prefix(sign).is_some_and(|rest| is_version(rest.trim())));
    let is_between = version
        .match_indices('-')
        .filter_map(|(at, _)| Some((version[..at].strip_suffix(char::is_whitespace)?, &version[at + 1..])))
        .any(|(from, to)| is_version(from) && is_version(to.trim_start()));
    let is_either = version.contains("||") && version.split("||").all(|part| is_version(part.trim()));
    is_compared || is_between || is_either || has_wildcard(version)
}

/// `v`, one to four numbers with dots between them, and perhaps a pre-release.
fn is_version(text: &str) -> bool {
    let (numbers, _) = split_pre_release(text);
    let parts: Vec<&str> = numbers.strip_prefix('v').unwrap_or(numbers).split('.').collect();
    parts.len() <= 4 && parts.iter().all(|part| is_number(part)) && has_good_pre_release(text)
}

/// Two or three numbers with dots between them, of which one is a wildcard.
fn has_wildcard(text: &str) -> bool {
    let (numbers, _) = split_pre_release(text);
    let parts: Vec<&str> = numbers.split('.').collect();
    let is_wildcard = |part: &&str| matches!(*part, "x" | "X" | "*");
    let is_part = |(index, part): (usize, &&str)| {
        let number = if index == 0 { part.strip_prefix('v').unwrap_or(part) } else { part };
        is_wildcard(part) || is_number(number)
    };
    matches!(parts.len(), 2 | 3)
        && parts.iter().any(is_wildcard)
        && parts.iter().enumerate().all(is_part)
        && has_good_pre_release(text)
}

fn split_pre_release(text: &str) -> (&str, Option<&str>) {
    text.split_once('-').map_or((text, None), |(numbers, rest)| (numbers, Some(rest)))
}

fn has_good_pre_release(text: &str) -> bool {
    let (_, pre_release) = split_pre_release(text);
    pre_release.is_none_or(|tag| {
        !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_told_from_versions() {
        for range in [
            "^1.2.3",
            "~1.2",
            ">=1.0.0",
            "<= 1",
            ">1.0.0",
            "<v1.0.0-rc.1",
            "=1.0.0",
            "1.x",
            "1.2.*",
            "1.2.X",
            "x.1",
            "*.*",
            "1 - 2",
            "1.2.3 - 2.0.0",
            "1.2.3 -2.0.0",
            "1.2 || 1.3",
            "1||2||3",
            " ^1 ",
            "v1.x",
            "1.x-beta",
        ] {
            assert!(is_range(range), "{range}");
        }
        for version in [
            "",
            "1",
            "1.0.0",
            "v1.0.0",
            "1.0.0-next.1",
            "1.0.0-linux",
            "1.0.0-1 - x",
            "2025.12.01",
            "snapshot",
            "x",
            "*",
            "latest",
            "1.0.0+build",
            "^",
            "^abc",
            "1.2.3.4.5",
            "1.2.x.4",
            "a || b",
            "||",
            "1 || ",
            "x-ray",
            "é - 1",
        ] {
            assert!(!is_range(version), "{version}");
        }
    }
}
