//! JSON: a parser that keeps spaces edits it.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstRootNode};

use super::{Change, Refusal, Syntax, position};

const KEY: &str = "registries";

pub(super) fn edit(text: &str, change: Change<'_>) -> Result<String, Refusal> {
    let root = CstRootNode::parse(text, &ParseOptions::default()).map_err(|_| "is not JSON")?;
    let object = root.object_value().ok_or("is not a JSON object")?;
    match change {
        Change::Remove { name } => {
            let position = position(text, Syntax::Json, name)?;
            let list = object.array_value(KEY).ok_or("has `registries` that are no list")?;
            list.elements().into_iter().nth(position).ok_or("does not list it")?.remove();
        }
        Change::Add { name, url } => {
            let list = object.array_value_or_create(KEY).ok_or("has `registries` that are no list")?;
            let text = |text: &str| CstInputValue::String(text.to_owned());
            let entry = [("name", name), ("url", url)].map(|(key, value)| (key.to_owned(), text(value)));
            list.append(CstInputValue::Object(entry.into()));
        }
    }
    Ok(root.to_string())
}
