//! A `server` object as it is held: without the beginning that most of them share.

/// How the official registry begins them: with the schema that the publisher named. It is a tenth of all.
const BEGINNINGS: [&str; 7] = [
    "",
    r#"{"$schema":"https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json","#,
    r#"{"$schema":"https://static.modelcontextprotocol.io/schemas/2025-10-17/server.schema.json","#,
    r#"{"$schema":"https://static.modelcontextprotocol.io/schemas/2025-10-11/server.schema.json","#,
    r#"{"$schema":"https://static.modelcontextprotocol.io/schemas/2025-09-29/server.schema.json","#,
    r#"{"$schema":"https://static.modelcontextprotocol.io/schemas/2025-09-16/server.schema.json","#,
    r#"{"$schema":"https://static.modelcontextprotocol.io/schemas/2025-07-09/server.schema.json","#,
];

/// What all of them but the empty one begin with.
const COMMON_PART: &str = r#"{"$schema":"https://static.modelcontextprotocol.io/schemas/"#;

/// Which of [`BEGINNINGS`] a `server` object has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beginning(u8);

impl Beginning {
    pub(super) fn of(server: &str) -> Self {
        let is_one = server.starts_with(COMMON_PART);
        let found = BEGINNINGS.iter().skip(1).position(|beginning| is_one && server.starts_with(beginning));
        Self(found.and_then(|found| u8::try_from(found + 1).ok()).unwrap_or_default())
    }

    pub(super) fn as_str(self) -> &'static str {
        BEGINNINGS[usize::from(self.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_otherwise_has_no_beginning() {
        for beginning in BEGINNINGS {
            assert_eq!(Beginning::of(&format!("{beginning}\"name\":\"a/b\"}}")).as_str(), beginning);
        }
        assert_eq!(Beginning::of(BEGINNINGS[1].trim_end_matches(',')).as_str(), "");
    }
}
