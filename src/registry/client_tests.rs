//! Where requests may be sent on to, and what answers say of the time.

use super::*;

fn follow(from: &str, to: &str) -> Result<String, String> {
    let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(to).expect("a header"))]);
    let from = Url::parse(from).expect("a URL");
    redirect_target(&from, &headers).map(Into::into).map_err(|error| error.to_string())
}

#[test]
fn redirects_stay_on_the_server_and_never_leave_https() {
    assert_eq!(follow("http://a.example/v0", "https://a.example/x").as_deref(), Ok("https://a.example/x"));
    assert_eq!(follow("https://u:p@a.example/v0", "/x?y=1").as_deref(), Ok("https://u:p@a.example/x?y=1"));
    assert!(follow("https://a.example/v0", "http://a.example/v0").is_err());
    assert!(follow("https://a.example/v0", "https://b.example/v0").is_err());
    assert_eq!(follow("http://a.example:80/", "https://a.example:443/x").as_deref(), Ok("https://a.example/x"));
    assert_eq!(follow("http://a.example:8080/", "//A.example:8080/x").as_deref(), Ok("http://a.example:8080/x"));
    for (from, to) in [
        ("https://a.example/v0", "https://a.example:22/v0"),
        ("https://a.example:8443/v0", "https://a.example/v0"),
        ("http://a.example/v0", "https://a.example:8443/v0"),
        ("http://a.example:8080/v0", "https://a.example/v0"),
        ("http://a.example/v0", "http://a.example:443/v0"),
    ] {
        assert!(follow(from, to).is_err_and(|error| error.contains("another port")), "{from} {to}");
    }
    for to in ["https://a.example./v0", "https://a@b.example/", "https://127.0.0.1/", "https://2130706433/"] {
        assert!(follow("https://a.example/v0", to).is_err_and(|error| error.contains("another host")), "{to}");
    }
    assert!(follow("https://a.example/v0", "//169.254.169.254/").is_err());
    assert!(follow("https://a.example/v0", "file:///etc/passwd").is_err());
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = SystemTime::UNIX_EPOCH;
    let read =
        |text: &'static str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]), now);
    assert_eq!(read("120"), Some(Duration::from_mins(2)));
    assert_eq!(read("Thu, 01 Jan 1970 00:01:00 GMT"), Some(Duration::from_mins(1)));
    assert_eq!(read("99999999999999999999999"), Some(Duration::from_secs(u32::MAX.into())));
    assert_eq!(read("soon"), None);
    assert_eq!(read(" "), None);
}
