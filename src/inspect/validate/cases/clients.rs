//! Files as clients have them, and the verdicts on their servers.

use super::super::Verdict::{
    self, Deleted, Deprecated, Known, LookAlike, Outdated, Unknown, UnlistedVersion, WrongSource,
};

/// The name of a server in a file, its line, and its verdict.
type Expected = (&'static str, usize, Verdict);

/// A file, and what is to be thought of its servers.
pub(super) const CASES: &[(&str, &[Expected])] = &[
    (
        // Claude Desktop, Cursor
        r#"{"mcpServers":{"files":{"command":"npx","args":["-y","@modelcontextprotocol/server-filesystem","/x"]},
                "weather":{"url":"https://weather.example.com/sse"}}}"#,
        &[("files", 1, Known), ("weather", 2, Known)],
    ),
    (
        // Claude Code
        r#"{"mcpServers":{"weather":{"type":"http","url":"https://weather.example.com/sse"},
                "w2":{"type":"sse","url":"https://WEATHER.example.com:443/sse/?token=s3cret"}}}"#,
        &[("weather", 1, WrongSource), ("w2", 2, Known)],
    ),
    (
        // Claude Code's own file
        r#"{"numStartups":3,"projects":{"/home/me":{"mcpServers":{"w":{"type":"sse","url":"https://weather.example.com/sse"}}}}}"#,
        &[("w", 1, Known)],
    ),
    (
        // Windsurf, Gemini
        r#"{"mcpServers":{"a":{"serverUrl":"https://api.githubcopilot.com/mcp"},"b":{"httpUrl":"https://x.example/mcp"}}}"#,
        &[("a", 1, Known), ("b", 1, Unknown)],
    ),
    (
        // VS Code
        r#"{
                // Comments, and a comma too many.
                "inputs": [{"type":"promptString","id":"key","password":true},],
                "servers": {
                    "io.github.github/github-mcp-server": {
                        "type":"http","url":"https://api.githubcopilot.com/mcp/","gallery":"https://api.mcp.github.com","version":"0.19.0"
                    },
                    "keyed": {"type":"http","url":"https://keyed.example.com/mcp","headers":{"X-API-Key":"${input:key}"}},
                    "keyless": {"type":"http","url":"https://keyed.example.com/mcp"},
                    "var": {"type":"http","url":"https://${input:host}/mcp"},
                },
            }"#,
        &[
            ("io.github.github/github-mcp-server", 5, Outdated),
            ("keyed", 8, Known),
            ("keyless", 9, WrongSource),
            ("var", 10, Unknown),
        ],
    ),
    (
        // VS Code's settings
        r#"{"editor.fontSize":12,"mcp":{"inputs":[],"servers":{"f":{"command":"uvx","args":["mcp-server-fetch"]}}}}"#,
        &[("f", 1, Known)],
    ),
    (
        // Codex
        "model = \"x\"\nsince = 2026-01-01\n[mcp_servers.docs]\ncommand = \"npx\"\nargs = [\"-y\", \"old-server\"]\n\
             [mcp_servers.docs.env]\nKEY = \"secret\"\n[mcp_servers.keyed]\nurl = \"https://keyed.example.com/mcp\"\n\
             env_http_headers = { X-Api-Key = \"KEY\" }\n",
        &[("docs", 3, Deprecated), ("keyed", 8, Known)],
    ),
    (
        // opencode, Zed
        r#"{"mcp":{"f":{"type":"local","command":["uvx","mcp-server-fetch"],"environment":{}}},
                "context_servers":{"z":{"command":{"path":"npx","args":["-y","gone-server"],"env":{}}}}}"#,
        &[("z", 2, Deleted), ("f", 1, Known)],
    ),
    (
        // server.json
        r#"{"$schema":"x","name":"com.acme/search","version":"1.4.0","description":"x",
                "packages":[{"registryType":"npm","identifier":"@acme/search","version":"1.4.0","transport":{"type":"stdio"}}]}"#,
        &[("com.acme/search", 1, Known)],
    ),
    (
        r#"{"name":"com.acme/search","version":"1.4.0","description":"x",
                "packages":[{"registryType":"npm","identifier":"evil-search","version":"1.4.0"}]}"#,
        &[("com.acme/search", 1, WrongSource)],
    ),
    // Names.
    (
        "# ours\ncom.acme/search\n\ncom.acme/search@1.0.0\ncom.acrne/search\ncom.example/old\ncom.example/gone\nno.such/thing\n",
        &[
            ("com.acme/search", 2, Known),
            ("com.acme/search", 4, UnlistedVersion),
            ("com.acrne/search", 5, LookAlike),
            ("com.example/old", 6, Deprecated),
            ("com.example/gone", 7, Deleted),
            ("no.such/thing", 8, Unknown),
        ],
    ),
    (r#"["com.acme/search", "com.acme/secret"]"#, &[("com.acme/search", 1, Known), ("com.acme/secret", 1, Unknown)]),
    (r#"{"servers":["com.acme/search"]}"#, &[("com.acme/search", 1, Known)]),
    (
        "com.acme/search@1.4.0;s3cret\ncom.acme/search\n",
        &[("com.acme/search", 1, Unknown), ("com.acme/search", 2, Known)],
    ),
    (r#"{"mcpServers":{}}"#, &[]),
    // Without servers.
    ("{}", &[]),
    (r#"{"globalShortcut":"","preferences":{"menuBarEnabled":false}}"#, &[]),
    // Gemini
    (r#"{"mcpServers":{"w":{"httpUrl":"https://weather.example.com/sse"}}}"#, &[("w", 1, WrongSource)]),
    // Of several members of one name the last one counts.
    (
        r#"{"mcpServers":{"x":{"command":"npx","args":["-y","gone-server"]},
                "x":{"command":"npx","args":["-y","unheard-of"],"args":["-y","old-server"]}}}"#,
        &[("x", 2, Deprecated)],
    ),
    (r#"{"mcpServers":{"x":{"disabled":true}}}"#, &[("x", 1, Unknown)]),
];
