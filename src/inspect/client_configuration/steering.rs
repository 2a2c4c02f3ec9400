//! Variables of the environment that steer what runs a package, or what loads programs: a registry must not name them.
//! A command that is the listed package would otherwise run something else, or speak to somebody else.

/// Beginnings of names, in capitals.
const BEGINNINGS: [&str; 19] = [
    "NPM_CONFIG_",
    "NPM_PACKAGE_",
    "PNPM_",
    "YARN_",
    "COREPACK_",
    "BUN_",
    "UV_",
    "PIP_",
    "NUGET_",
    "DOTNET_",
    "CORECLR_",
    "COMPLUS_",
    "DOCKER_",
    "LD_",
    "DYLD_",
    "BASH_FUNC_",
    "GIT_CONFIG",
    "XDG_",
    "SSL_CERT_",
];

/// Whole names, in capitals.
const NAMES: [&str; 43] = [
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "NODE_REPL_EXTERNAL_MODULE",
    "PATH",
    "PATHEXT",
    "BASH_ENV",
    "ENV",
    "SHELL",
    "SHELLOPTS",
    "BASHOPTS",
    "PROMPT_COMMAND",
    "IFS",
    "PS4",
    "CDPATH",
    "ZDOTDIR",
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "COMSPEC",
    "SYSTEMROOT",
    "WINDIR",
    "PSMODULEPATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_ASKPASS",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "LOCPATH",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "OPENSSL_ENGINES",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "JAVA_TOOL_OPTIONS",
    "PERL5OPT",
    "PERL5LIB",
    "RUBYOPT",
    "VIRTUAL_ENV",
];

/// Of Python's, those that change what is written and not what is run.
const OF_PYTHON: [&str; 4] = ["PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE"];

/// Whether a variable steers what runs or loads programs. Letter case does not count: npm and Windows take either.
pub(super) fn steers(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    NAMES.contains(&&*name)
        || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || name.ends_with("_PROXY")
        || (name.starts_with("PYTHON") && !OF_PYTHON.contains(&&*name) && !name.starts_with("PYTHON_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_told_from_what_a_package_reads() {
        for name in [
            "npm_config_registry",
            "NPM_CONFIG_REGISTRY",
            "UV_INDEX_URL",
            "PIP_INDEX_URL",
            "NODE_OPTIONS",
            "Node_Options",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "LD_PRELOAD",
            "DYLD_INSERT_LIBRARIES",
            "Path",
            "DOCKER_HOST",
            "BASH_ENV",
            "ENV",
            "HOME",
            "https_proxy",
            "ALL_PROXY",
            "DOTNET_STARTUP_HOOKS",
            "BUN_OPTIONS",
        ] {
            assert!(steers(name), "{name}");
        }
        for name in ["API_KEY", "NODE_ENV", "NODE_URL", "PYTHONUNBUFFERED", "PYTHON_HOST", "GITHUB_TOKEN", "HOMEPAGE"] {
            assert!(!steers(name), "{name}");
        }
    }
}
