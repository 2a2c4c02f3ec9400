//! A part of the feed for feed readers (RFC 4287): an entry for each event, newest first.

use std::borrow::Cow;
use std::io::Result;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::page::{Filter, Page};
use super::row::{RESET, Row};
use crate::catalog::lineage::ProxyId;

const NAMESPACE: &str = "http://www.w3.org/2005/Atom";
/// What may stand in a segment of a path as it is (RFC 3986 §2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

type Xml = Writer<Vec<u8>>;

/// The document; `updated_at` is said where nothing has happened.
pub(super) fn document(page: &Page<'_>, filter: &Filter, own_id: &ProxyId, updated_at: Timestamp) -> Vec<u8> {
    let mut xml = Writer::new(Vec::new());
    write(&mut xml, page, filter, own_id, updated_at).expect("memory takes what is written");
    let mut bytes = xml.into_inner();
    bytes.push(b'\n');
    bytes
}

fn write(xml: &mut Xml, page: &Page<'_>, filter: &Filter, own_id: &ProxyId, updated_at: Timestamp) -> Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    let id = format!("urn:mcp-registry-proxy:{}:changes", own_id.as_str());
    let updated_at = page.rows.last().map_or(updated_at, |newest| newest.time);
    xml.create_element("feed").with_attribute(("xmlns", NAMESPACE)).write_inner_content(|xml| {
        text(xml, "id", &(id.clone() + &of_filter(filter)))?;
        text(xml, "title", "Changes of the MCP servers that are listed here")?;
        text(xml, "updated", &updated_at.to_string())?;
        xml.create_element("author").write_inner_content(|xml| text(xml, "name", "mcp-registry-proxy"))?;
        page.rows.iter().rev().try_for_each(|row| entry(xml, row, &id))
    })?;
    Ok(())
}

/// What tells one part of the feed from another.
fn of_filter(filter: &Filter) -> String {
    let parts = [("registry", &filter.registry), ("name", &filter.name)];
    let parts = parts
        .into_iter()
        .filter_map(|(key, value)| value.as_ref().map(|value| [":", key, ":", &escaped(value)].concat()));
    parts.collect()
}

fn entry(xml: &mut Xml, row: &Row<'_>, feed: &str) -> Result<()> {
    let link = link(row);
    xml.create_element("entry").write_inner_content(|xml| {
        text(xml, "id", &format!("{feed}:{}", row.cursor))?;
        text(xml, "title", &title(row))?;
        text(xml, "updated", &row.time.to_string())?;
        xml.create_element("link")
            .with_attribute(("rel", "alternate"))
            .with_attribute(("href", &*link))
            .write_empty()?;
        xml.create_element("category").with_attribute(("term", row.event)).write_empty()?;
        xml.create_element("content")
            .with_attribute(("type", "text"))
            .write_text_content(BytesText::new(&writable(&content(row))))?;
        Ok(())
    })?;
    Ok(())
}

fn text(xml: &mut Xml, element: &str, text: &str) -> Result<()> {
    xml.create_element(element).write_text_content(BytesText::new(&writable(text))).map(drop)
}

/// Where the entry is, as seen from the feed.
fn link(row: &Row<'_>) -> String {
    match row.name.zip(row.version) {
        Some((name, version)) => {
            format!("/v0.1/servers/{}/versions/{}?include_deleted=true", escaped(name), escaped(version))
        }
        None => "/v0.1/servers".to_owned(),
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn title(row: &Row<'_>) -> String {
    match row.name.zip(row.version) {
        Some((name, version)) if row.previous_version.is_some() => format!("{name}: {version} is the latest version"),
        Some((name, version)) => format!("{name} {version}: {}", row.event),
        None => "Much has changed at once".to_owned(),
    }
}

fn content(row: &Row<'_>) -> String {
    if row.event == RESET {
        return "The whole list may have changed.".to_owned();
    }
    let registry = row.registry.unwrap_or_default();
    let former = row.former_registry.map(|former| format!("Before: {former}."));
    let previous = row.previous_version.map(|previous| format!("The latest version before: {previous}."));
    let fields = (!row.fields.is_empty()).then(|| format!("Changed: {}.", row.fields.join(", ")));
    let sentences = [Some(format!("Registry: {registry}.")), former, previous, fields];
    sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The text without the characters that no XML document can hold (XML 1.0 §2.2), however they are written.
fn writable(text: &str) -> Cow<'_, str> {
    let is_forbidden = |char: char| {
        char.is_control() && !matches!(char, '\t' | '\n' | '\r') || matches!(char, '\u{fffe}' | '\u{ffff}')
    };
    if text.contains(is_forbidden) { text.replace(is_forbidden, "\u{fffd}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_hold_is_escaped_or_replaced() {
        let name = "com.example/<a>&\"\u{1}\u{ffff}é";
        let row = Row {
            event: "changed",
            time: Timestamp::UNIX_EPOCH,
            revision: 1,
            registry: Some("alpha"),
            former_registry: Some("beta"),
            name: Some(name),
            version: Some("1.0.0+x"),
            previous_version: None,
            fields: &["/server/a<b".into()],
            cursor: "AAAA".to_owned(),
        };
        let mut xml = Writer::new(Vec::new());
        entry(&mut xml, &row, "urn:x").expect("memory");
        let text = String::from_utf8(xml.into_inner()).expect("UTF-8");
        for expected in [
            "<id>urn:x:AAAA</id>",
            "com.example/&lt;a&gt;&amp;",
            "\u{fffd}\u{fffd}é 1.0.0+x: changed</title>",
            "href=\"/v0.1/servers/com.example%2F%3Ca%3E%26%22%01%EF%BF%BF%C3%A9/versions/1.0.0%2Bx?include_deleted=true\"",
            "Registry: alpha. Before: beta. Changed: /server/a&lt;b.",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        let mut reader = quick_xml::Reader::from_str(&text);
        while !matches!(reader.read_event().expect("XML"), Event::Eof) {}
    }
}
