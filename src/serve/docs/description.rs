//! The description as the page reads it: routes that are the same under several paths once, and what all
//! answers have in common.

use serde_json::Value;

use super::text::slug;

const METHODS: [&str; 7] = ["get", "head", "post", "put", "delete", "patch", "options"];

/// The description, and what holds for all of its routes.
pub(super) struct Description<'a> {
    pub(super) root: &'a Value,
    routes: Vec<Route<'a>>,
    /// The answers that every operation has, by status.
    pub(super) everywhere: Vec<(&'a str, &'a Value)>,
    /// The headers that every answer has, but for those that have none.
    common_headers: Vec<&'a str>,
}

/// One path and its equals.
struct Route<'a> {
    paths: Vec<&'a str>,
    item: &'a Value,
}

/// A method of a route; `HEAD` goes with `GET`.
#[derive(Clone)]
pub(super) struct Operation<'a> {
    pub(super) methods: Vec<&'a str>,
    /// The path, and the others under which it is the same.
    pub(super) paths: Vec<&'a str>,
    pub(super) item: &'a Value,
    pub(super) node: &'a Value,
}

impl<'a> Description<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        let mut description = Self { root, routes: routes(root), everywhere: Vec::new(), common_headers: Vec::new() };
        let operations: Vec<_> = description.operations().collect();
        description.everywhere = in_all(operations.iter().map(|operation| operation.responses().collect()));
        let answers = operations.iter().flat_map(Operation::responses);
        let headers = answers.map(|(_, answer)| members(description.resolve(answer), "headers"));
        let headers = headers.map(|headers| headers.map(|(name, _)| name).collect::<Vec<_>>());
        description.common_headers = in_all(headers.filter(|headers| !headers.is_empty()));
        description
    }

    /// What a reference points to; anything else is itself.
    pub(super) fn resolve(&self, node: &'a Value) -> &'a Value {
        let pointer = node["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(node)
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = &'a Value> {
        items(self.root, "tags")
    }

    pub(super) fn schemas(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        members(&self.root["components"], "schemas")
    }

    pub(super) fn operations_of(&self, tag: &str) -> impl Iterator<Item = Operation<'a>> {
        self.operations().filter(move |operation| items(operation.node, "tags").any(|own| own == tag))
    }

    fn operations(&self) -> impl Iterator<Item = Operation<'a>> {
        self.routes.iter().flat_map(Route::operations)
    }

    /// The headers of all answers, by their name on the wire.
    pub(super) fn headers(&self) -> Vec<(&'a str, &'a Value)> {
        let mut headers: Vec<(&str, &Value)> = Vec::new();
        for (_, answer) in self.operations().flat_map(|operation| operation.responses().collect::<Vec<_>>()) {
            for (name, header) in members(self.resolve(answer), "headers") {
                if !headers.iter().any(|(known, _)| *known == name) {
                    headers.push((name, self.resolve(header)));
                }
            }
        }
        headers.sort_by_key(|(name, _)| *name);
        headers
    }

    pub(super) fn is_on_every_answer(&self, header: &str) -> bool {
        self.common_headers.contains(&header)
    }
}

impl<'a> Route<'a> {
    fn operations(&self) -> Vec<Operation<'a>> {
        let mut operations: Vec<Operation<'a>> = Vec::new();
        for method in METHODS {
            let Some(node) = self.item.get(method) else { continue };
            let get = operations.iter_mut().find(|known| method == "head" && known.methods == ["get"]);
            match get.filter(|get| get.node["responses"] == node["responses"]) {
                Some(get) => get.methods.push(method),
                None => operations.push(Operation {
                    methods: vec![method],
                    paths: self.paths.clone(),
                    item: self.item,
                    node,
                }),
            }
        }
        operations
    }
}

impl<'a> Operation<'a> {
    pub(super) fn summary(&self) -> &'a str {
        text_of(self.node, "summary")
    }

    /// What a link to it names.
    pub(super) fn id(&self) -> String {
        slug(&format!("{} {}", self.methods[0], self.paths[0]))
    }

    /// Those of the path, then its own.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &'a Value> {
        items(self.item, "parameters").chain(items(self.node, "parameters"))
    }

    pub(super) fn responses(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        members(self.node, "responses")
    }
}

fn routes(root: &Value) -> Vec<Route<'_>> {
    let mut routes: Vec<Route<'_>> = Vec::new();
    for (path, item) in members(root, "paths") {
        match routes.iter_mut().find(|route| route.item == item) {
            Some(route) => route.paths.push(path),
            None => routes.push(Route { paths: vec![path], item }),
        }
    }
    routes
}

/// What all lists hold.
fn in_all<T: PartialEq>(mut lists: impl Iterator<Item = Vec<T>>) -> Vec<T> {
    let mut common = lists.next().unwrap_or_default();
    for list in lists {
        common.retain(|item| list.contains(item));
    }
    common
}

/// A text member; empty where there is none.
pub(super) fn text_of<'a>(node: &'a Value, key: &str) -> &'a str {
    node[key].as_str().unwrap_or_default()
}

/// The members of an object member.
pub(super) fn members<'a>(node: &'a Value, key: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    node[key].as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// The items of an array member.
pub(super) fn items<'a>(node: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    node[key].as_array().into_iter().flatten()
}
