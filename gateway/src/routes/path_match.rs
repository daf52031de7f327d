//! Finds the endpoint of a request: by path first, then by method.

use http::Method;

use super::{ROUTES, Route};

/// The result of a lookup.
pub enum PathMatch {
    /// With the values of the template's parameters, in order.
    Route(&'static Route, Vec<String>),
    /// The path has other methods: the value of `Allow`.
    OtherMethods(String),
    None,
}

/// Looks up the endpoint. `HEAD` is answered by the endpoint of `GET`.
pub fn find(method: &Method, path: &str) -> PathMatch {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let matching = || ROUTES.iter().filter_map(|route| Some((route, params(route.template, path)?)));
    // `/api/pipelines/bulk` is no run: a path that is written out has only the methods of its own template.
    let fewest = matching().map(|(_, params)| params.len()).min();
    let mut methods: Vec<&str> = Vec::new();
    for (route, params) in matching().filter(|(_, params)| Some(params.len()) == fewest) {
        if route.method == *method {
            return PathMatch::Route(route, params);
        }
        methods.push(route.method.as_str());
    }
    if methods.is_empty() {
        return PathMatch::None;
    }
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    PathMatch::OtherMethods(methods.join(", "))
}

/// The names of a template's parameters, in order.
pub fn names(template: &'static str) -> impl Iterator<Item = &'static str> {
    template.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// The values of a template's parameters in a path; `None` when the path does not match.
fn params(template: &str, path: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut rest = path.strip_prefix('/')?;
    let mut parts = template.strip_prefix('/')?.split('/').peekable();
    while let Some(part) = parts.next() {
        if part.ends_with("*}") {
            return (!rest.is_empty()).then(|| {
                values.push(rest.to_owned());
                values
            });
        }
        let (segment, after) = match rest.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        if part.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            values.push(segment.to_owned());
        } else if part != segment {
            return None;
        }
        match after {
            Some(after) if parts.peek().is_some() => rest = after,
            None if parts.peek().is_none() => return Some(values),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_match_whole_paths() {
        assert_eq!(params("/a/{x}/b", "/a/1/b"), Some(vec!["1".into()]));
        assert_eq!(params("/a/{x}/b", "/a/1/b/"), None);
        assert_eq!(params("/a/{x}", "/a/"), None);
        assert_eq!(params("/a/{x}", "/a"), None);
        assert_eq!(params("/a/{x*}", "/a/b/c"), Some(vec!["b/c".into()]));
        assert_eq!(params("/", "/"), Some(vec![]));
        assert_eq!(params("/a", "/a?b"), None);
    }

    #[test]
    fn the_names_of_parameters_are_in_the_order_of_their_values() {
        assert_eq!(names("/a/{runId}/b/{blockId}").collect::<Vec<_>>(), ["runId", "blockId"]);
        assert_eq!(names("/a").count(), 0);
    }

    #[test]
    fn the_path_is_matched_before_the_method() {
        assert!(matches!(find(&Method::GET, "/api/nothing"), PathMatch::None));
        let PathMatch::OtherMethods(allow) = find(&Method::PATCH, "/api/pipelines") else { panic!("405") };
        assert_eq!(allow, "GET, POST, HEAD, OPTIONS");
        let PathMatch::OtherMethods(allow) = find(&Method::GET, "/api/pipelines/bulk") else { panic!("405") };
        assert_eq!(allow, "POST, OPTIONS", "no run has this id");
        let PathMatch::Route(route, _) = find(&Method::HEAD, "/api/pipelines") else { panic!("HEAD is GET") };
        assert_eq!(route.operation, "listRuns");
    }

    #[test]
    fn operation_ids_are_unique() {
        let mut names: Vec<_> = ROUTES.iter().map(|route| route.operation).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROUTES.len());
    }
}
